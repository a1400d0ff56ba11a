/** What has to be known of a kind of server to run one of our own. Each kind is a file beside this one. */
export interface Recipe {
  /** As people call it. */
  readonly name: string
  /** The programs that it takes, */
  readonly programs: readonly string[]
  /** the folders that may hold them and are not in everybody's PATH, the best last, as a pattern of `fs.glob`, */
  readonly folders: string
  /** and the packages of Debian and Ubuntu that bring them. */
  readonly packages: readonly string[]
  /** How many ports it takes, one after another; one, unless it says otherwise. */
  readonly ports?: number
  /** The system's user for it: root runs it as that one. */
  readonly account: string
  /** Fills the folder of a new instance. */
  prepare(instance: Instance, run: Run): Promise<void>
  /** What its programs find in their environment. */
  env?(instance: Instance): Readonly<Record<string, string>>
  /** The command of a program that has to run beside it, in the foreground. */
  beside?(instance: Instance): readonly [program: string, ...args: string[]]
  /** The command that serves, in the foreground. */
  serve(instance: Instance, options: ServerOptions): readonly [program: string, ...args: string[]]
  /** The line by which it says that it is up. */
  readonly ready: RegExp
  /** The signal that ends it in good order, without waiting for its clients. */
  readonly shutdown: NodeJS.Signals
  /** How a client finds it. */
  url(instance: Instance): string
}

export interface ServerOptions {
  /** Whether what was committed survives a crash; without, everything is quicker. */
  readonly durable: boolean
}

/** One server with a folder, a port of 127.0.0.1 (the first of its ports) and a password of its own, which it keeps. */
export interface Instance {
  readonly folder: string
  readonly port: number
  readonly password: string
}

/** Runs one of the recipe's programs to its end, as the server's account. */
export type Run = (program: string, args: readonly string[], input?: string) => Promise<void>

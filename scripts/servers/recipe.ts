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
  /** The system's user for it: root runs it as that one. */
  readonly account: string
  /** As many ports in a row are its own, from the instance's on. */
  readonly ports: number
  /** What its programs find in their environment, beside what everybody does. */
  env?(instance: Instance): Readonly<Record<string, string>>
  /** Fills the folder of a new instance. */
  prepare(instance: Instance, run: Run): Promise<void>
  /** What serves, in the order in which it is started, one after another; it is stopped the other way round. */
  serve(instance: Instance, options: ServerOptions): readonly Step[]
  /** The signal that ends each of its processes in good order, without waiting for its clients. */
  readonly shutdown: NodeJS.Signals
  /** How a client finds it. */
  url(instance: Instance): string
}

/** A process of a server, in the foreground. */
export interface Step {
  readonly command: readonly [program: string, ...args: string[]]
  /** The line by which it says that it is up; undefined for one that does its work and ends. */
  readonly ready?: RegExp
}

export interface ServerOptions {
  /** Whether what was committed survives a crash; without, everything is quicker. */
  readonly durable: boolean
}

/** One server with a folder, ports of 127.0.0.1 and a password of its own, which it keeps. */
export interface Instance {
  readonly folder: string
  readonly port: number
  readonly password: string
}

/** Runs one of the recipe's programs to its end, as the server's account. */
export type Run = (program: string, args: readonly string[], input?: string) => Promise<void>

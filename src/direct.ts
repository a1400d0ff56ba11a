/** Lets clients send and get objects without a detour: by URLs that are good for one object, and for some seconds. */
export interface DirectBlobs {
  /**
   * The URL to PUT an object at. Unlike `put` it replaces what is there, as often as it is used: what came is known only
   * once the time is up, or the object has been copied.
   * @param seconds a week at most, here and below.
   */
  upload(key: string, seconds: number): Promise<string>
  /** The URL to GET an object at, as an attachment of that name and media type. */
  download(key: string, seconds: number, as: { readonly name: string; readonly type: string }): Promise<string>
  /** @throws {AppError} not_found */
  stat(key: string): Promise<{ readonly bytes: number }>
}

/** As much of the WebAssembly API as the kernel needs; Node has it, but its types do not. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer
  }
  interface Global {
    value: number
  }
  interface Instance {
    readonly exports: object
  }
  function instantiate(bytes: Uint8Array): Promise<{ readonly instance: Instance }>
}

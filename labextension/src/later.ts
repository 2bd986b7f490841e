/** A backend whose code is loaded at the first question. */

import type { BackendKind, BackendRequest, IBackend } from './tokens';

/** Stands for a backend until it is needed. */
export class LaterBackend implements IBackend {
  readonly tells = false;
  readonly #load: () => Promise<IBackend>;
  #loaded: Promise<IBackend> | null = null;

  /**
   * @param kind - what the backend is
   * @param load - makes it
   */
  constructor(
    readonly kind: BackendKind,
    load: () => Promise<IBackend>,
  ) {
    this.#load = load;
  }

  /** Dispose of the backend, if it was ever needed. Calling it twice is fine. */
  dispose(): void {
    void this.#loaded?.then((backend) => {
      backend.dispose();
    });
  }

  /** Ask the backend. */
  async call(request: BackendRequest): Promise<unknown> {
    this.#loaded ??= this.#load();
    return (await this.#loaded).call(request);
  }
}

/** A backend whose code is loaded at the first question. */

import { BackendError, type BackendKind, type BackendRequest, type IBackend } from '../tokens';

/** Stands for a backend until it is needed. */
export class LazyBackend implements IBackend {
  readonly pushesEvents = false;
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
    this.#loaded ??= this.#load().catch(() => {
      this.#loaded = null; // The server is away; it may be back the next time.
      throw new BackendError('unreachable');
    });
    return (await this.#loaded).call(request);
  }
}

/** Several backends, of which the first that is there answers. */

import { BackendError, type BackendRequest, type IBackend } from '../tokens';

/** Asks one backend after the other until one is there; then that one. */
export class FallbackBackend {
  readonly #candidates: readonly (() => IBackend)[];
  #index = 0;
  #current: IBackend | null = null;
  #disposed = false;

  /** @param candidates - makes each, in the order to try */
  constructor(candidates: readonly (() => IBackend)[]) {
    this.#candidates = candidates;
  }

  /** The one that is asked; `null` when none is. */
  get current(): IBackend | null {
    return this.#current;
  }

  /** Stop for good. Calling it twice is fine. */
  dispose(): void {
    this.#disposed = true;
    this.#current?.dispose();
  }

  /**
   * Ask the first backend that is there.
   *
   * @throws {@link BackendError} `absent` when none is
   */
  async call(request: BackendRequest): Promise<unknown> {
    for (;;) {
      const backend = (this.#current ??= this.#createBackend());
      try {
        return await backend.call(request);
      } catch (error) {
        const absent = error instanceof BackendError && error.code === 'no-backend';
        if (!absent || !this.#advanceFrom(backend)) {
          throw error;
        }
      }
    }
  }

  #createBackend(): IBackend {
    const make = this.#candidates[this.#index];
    if (make === undefined || this.#disposed) {
      throw new BackendError('no-backend');
    }
    return make();
  }

  /** Turn to the next one, unless another question did so already; after the last, begin anew later. */
  #advanceFrom(failed: IBackend): boolean {
    if (failed !== this.#current) {
      return true;
    }
    failed.dispose();
    this.#current = null;
    this.#index = (this.#index + 1) % this.#candidates.length;
    return this.#index > 0;
  }
}

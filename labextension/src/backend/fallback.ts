/** A list of backends, of which the first available one is used. */

import { BackendError, type BackendRequest, type IBackend } from '../tokens';

/** Uses the first available backend of a list. */
export class FallbackBackend {
  readonly #candidates: readonly (() => IBackend)[];
  #index = 0;
  #current: IBackend | null = null;
  #hasAnswered = false;
  #disposed = false;

  /** @param candidates - create the backends, in the order in which they are tried */
  constructor(candidates: readonly (() => IBackend)[]) {
    this.#candidates = candidates;
  }

  /** The backend in use; `null` when there is none. */
  get current(): IBackend | null {
    return this.#current;
  }

  /** Dispose of the backend in use. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#current?.dispose();
  }

  /**
   * Send a request to the first available backend.
   *
   * @throws {@link BackendError} `absent` when none is
   */
  async call(request: BackendRequest): Promise<unknown> {
    for (;;) {
      const backend = (this.#current ??= this.#createBackend());
      try {
        const response = await backend.call(request);
        this.#hasAnswered = true;
        return response;
      } catch (error) {
        if (!this.#tryAnother(backend, error)) {
          throw error;
        }
      }
    }
  }

  /** Decide after an error which backend is used next; returns whether to send the request to it now. */
  #tryAnother(failed: IBackend, error: unknown): boolean {
    const code = error instanceof BackendError ? error.code : '';
    if (code === 'unreachable' && !this.#hasAnswered) {
      this.#startOver(failed);
    }
    return code === 'no-backend' && this.#advanceFrom(failed);
  }

  /** Try all backends again, because a gateway may have answered for a server that was down. */
  #startOver(failed: IBackend): void {
    if (failed === this.#current) {
      failed.dispose();
      this.#current = null;
      this.#index = 0;
    }
  }

  #createBackend(): IBackend {
    const create = this.#candidates[this.#index];
    if (create === undefined || this.#disposed) {
      throw new BackendError('no-backend');
    }
    return create();
  }

  /** Select the next backend; returns `false` after the last one, so that a later request starts over. */
  #advanceFrom(failed: IBackend): boolean {
    // A concurrent request has selected the next backend already.
    if (failed !== this.#current) {
      return true;
    }
    failed.dispose();
    this.#current = null;
    this.#hasAnswered = false;
    this.#index = (this.#index + 1) % this.#candidates.length;
    return this.#index > 0;
  }
}

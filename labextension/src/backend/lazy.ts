/** A backend whose code is loaded with the first request. */

import { BackendError, type BackendKind, type BackendRequest, type IBackend } from '../tokens';

/** Loads another backend when it is needed. */
export class LazyBackend implements IBackend {
  readonly #load: () => Promise<IBackend>;
  #backend: IBackend | null = null;
  #loaded: Promise<IBackend> | null = null;

  /**
   * @param kind - the kind of the backend
   * @param load - load the code and create the backend
   */
  constructor(
    readonly kind: BackendKind,
    load: () => Promise<IBackend>,
  ) {
    this.#load = load;
  }

  /** {@inheritDoc IBackend.pushesEvents} */
  get pushesEvents(): boolean {
    return this.#backend?.pushesEvents === true;
  }

  /** Dispose of the backend, if it was loaded. May be called more than once. */
  dispose(): void {
    void this.#loaded?.then((backend) => {
      backend.dispose();
    });
  }

  /** Send a request to the backend. */
  async call(request: BackendRequest): Promise<unknown> {
    this.#loaded ??= this.#load().catch(() => {
      // The server may be reachable the next time.
      this.#loaded = null;
      throw new BackendError('unreachable');
    });
    this.#backend = await this.#loaded;
    return this.#backend.call(request);
  }
}

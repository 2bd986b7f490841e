/** The backend in a kernel, for Jupyter servers without the server extension. */

import type { Kernel, KernelMessage, Session } from '@jupyterlab/services';
import type { BrowserLock } from '../browser/lock';
import { RestartableTimer, type Timers } from '../countdown/clock';
import { asNumber, asObject } from '../countdown/messages';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { asciiJson, evaluateExpression, parseRepr } from './kernel-expressions';
import { HELPER_MODULE, type KernelSearch } from './kernel-search';
import type { SpecMemory } from './spec-memory';
import { readError } from './validate';

/** Options of {@link HelperKernelBackend}. */
export interface HelperKernelOptions {
  /** Finds or starts the kernel. */
  readonly search: Pick<KernelSearch, 'find'>;
  /** Which specs have the package. A refresh by the user tries all of them again. */
  readonly memory: Pick<SpecMemory, 'forgetUnusable'>;
  /** Prevents two tabs from starting a kernel each. */
  readonly lock: BrowserLock;
  /** Clock and timers. */
  readonly timers: Timers;
  /** Called on each change event that the kernel sends, and when events may have been missed. */
  readonly onEvent: (event: unknown) => void;
}

/** The time between two messages that tell the kernel that this page is open. */
export const HEARTBEAT_MS = 60_000;

const EVENT_MIME_TYPE = 'application/vnd.modelarts-magics.event+json';
/** Jupyter Server does not count the request of this name as activity of the user. */
const HEARTBEAT_TARGET = 'modelarts-magics:page';

/**
 * Sends requests to the helper kernel, which all pages of a server share. It sends change events, and
 * ends itself when it has not heard from any page for ten minutes.
 */
export class HelperKernelBackend implements IBackend {
  /** {@inheritDoc IBackend.kind} */
  readonly kind = 'helper-kernel';
  readonly #options: HelperKernelOptions;
  readonly #heartbeat: RestartableTimer;
  #session: Promise<Session.ISessionConnection> | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #isConnected = false;
  #disposed = false;

  constructor(options: HelperKernelOptions) {
    this.#options = options;
    this.#heartbeat = new RestartableTimer(options.timers);
  }

  /** {@inheritDoc IBackend.pushesEvents} */
  get pushesEvents(): boolean {
    return this.#isConnected;
  }

  /** Disconnect from the kernel, which goes on for other pages. May be called more than once. */
  dispose(): void {
    this.#disposed = true;
    this.#release();
  }

  /** Send a request after the previous one has ended, because the kernel executes one at a time. */
  async call(request: BackendRequest): Promise<unknown> {
    const response = this.#queue.then(() => this.#callWithRetry(request));
    this.#queue = response.catch(() => undefined);
    return response;
  }

  async #callWithRetry(request: BackendRequest): Promise<unknown> {
    if (request.path.endsWith('refresh=1')) {
      this.#options.memory.forgetUnusable();
    }
    // A kernel that has ended is replaced. A change contains its base, so it is not made twice.
    const responseRepr = await this.#callOnce(request).catch((error: unknown) => {
      if (error instanceof BackendError && error.code === 'unreachable') {
        return this.#callOnce(request);
      }
      throw error;
    });
    const { status, body } = asObject(parseRepr(responseRepr));
    if (asNumber(status) !== 200) {
      throw readError(asNumber(status) ?? 500, body);
    }
    return body;
  }

  async #callOnce(request: BackendRequest): Promise<string> {
    try {
      return await evaluateExpression(await this.#liveKernel(), requestExpression(request));
    } catch (error) {
      this.#release();
      throw error instanceof BackendError ? error : new BackendError('unreachable');
    }
  }

  /** Return the kernel, or another one if it has ended. */
  async #liveKernel(): Promise<Kernel.IKernelConnection> {
    const session = await this.#session;
    if (session !== null && (session.isDisposed || session.kernel === null)) {
      this.#release();
    }
    this.#session ??= this.#options.lock('helper', () => this.#open());
    const { kernel } = await this.#session;
    if (kernel === null || this.#disposed) {
      throw new BackendError('unreachable');
    }
    return kernel;
  }

  async #open(): Promise<Session.ISessionConnection> {
    const session = await this.#options.search.find();
    session.iopubMessage.connect(this.#onMessage);
    session.connectionStatusChanged.connect(this.#onConnectionStatus);
    session.statusChanged.connect(this.#onStatus);
    this.#heartbeat.set(HEARTBEAT_MS, this.#beat);
    // The kernel has answered over the connection by which its events arrive.
    this.#isConnected = true;
    return session;
  }

  #release(): void {
    const session = this.#session;
    this.#session = null;
    this.#isConnected = false;
    this.#heartbeat.clear();
    void session?.then(
      (each) => {
        each.dispose();
      },
      () => undefined,
    );
  }

  /** Tell the kernel that this page is open, by a request that is no activity of the user. */
  readonly #beat = (): void => {
    void this.#session
      ?.then((session) => session.kernel?.requestCommInfo({ target_name: HEARTBEAT_TARGET }))
      // A kernel that has ended is replaced at the next request.
      .catch(() => undefined);
    this.#heartbeat.set(HEARTBEAT_MS, this.#beat);
  };

  /** Handle a change event, which the kernel sends as display data. */
  readonly #onMessage = (_: unknown, { content }: KernelMessage.IIOPubMessage): void => {
    const event = asObject(asObject(content).data)[EVENT_MIME_TYPE];
    if (event !== undefined) {
      this.#options.onEvent(event);
    }
  };

  /** Events sent while the page was not connected are lost. */
  readonly #onConnectionStatus = (_: unknown, status: Kernel.ConnectionStatus): void => {
    this.#isConnected = status === 'connected';
    if (this.#isConnected) {
      this.#options.onEvent({});
    }
  };

  /** A kernel that was restarted answers again, but sends no events before the first request. */
  readonly #onStatus = (_: unknown, status: Kernel.Status): void => {
    if (status === 'dead' || status === 'autorestarting') {
      this.#release();
      this.#options.onEvent({});
    }
  };
}

/** Return the Python expression of a request. */
function requestExpression({ method, path, body }: BackendRequest): string {
  const language = document.documentElement.lang;
  const json = asciiJson({ method, path, body: body ?? null, language });
  const module = `__import__('${HELPER_MODULE}', fromlist=['handle_request'])`;
  return `${module}.handle_request(${JSON.stringify(json)})`;
}

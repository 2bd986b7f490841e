/** The backend in a kernel, for Jupyter servers without the server extension. */

import {
  type Kernel,
  KernelAPI,
  type KernelMessage,
  type ServiceManager,
} from '@jupyterlab/services';
import type { BrowserLock } from '../browser/lock';
import { RestartableTimer } from '../countdown/clock';
import { asNumber, asObject, asString } from '../countdown/messages';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { KERNEL_IDLE_TIMEOUT_MS, SharedKernel, type SharedKernelOptions } from './shared-kernel';
import { readError } from './validate';

/** Options of {@link HelperKernelBackend}. */
export interface HelperKernelOptions extends Omit<SharedKernelOptions, 'serverUrl'> {
  /** Jupyter's services for kernels. */
  readonly serviceManager: Pick<
    ServiceManager.IManager,
    'kernels' | 'kernelspecs' | 'serverSettings'
  >;
  /** Prevents two tabs from starting a kernel each. */
  readonly lock: BrowserLock;
  /** Called on each change event that the kernel sends. */
  readonly onEvent: (event: unknown) => void;
  /** The names of kernel specs without the package. A refresh by the user tries them again. */
  readonly specsWithoutPackage: Set<string>;
}

const EVENT_MIME_TYPE = 'application/vnd.modelarts-magics.event+json';

const HELPER_MODULE = 'modelarts_magics.helper_kernel';

/**
 * Sends requests to a kernel. It is started with the first request, from the first kernel spec with
 * the package, and shut down when no tab has used it for a while.
 */
export class HelperKernelBackend implements IBackend {
  /** {@inheritDoc IBackend.kind} */
  readonly kind = 'helper-kernel';
  /** {@inheritDoc IBackend.pushesEvents} */
  readonly pushesEvents = false;
  readonly #options: HelperKernelOptions;
  readonly #sharedKernel: SharedKernel;
  readonly #idleTimer: RestartableTimer;
  #kernel: Promise<Kernel.IKernelConnection> | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(options: HelperKernelOptions) {
    this.#options = options;
    this.#sharedKernel = new SharedKernel({
      ...options,
      serverUrl: options.serviceManager.serverSettings.baseUrl,
    });
    this.#idleTimer = new RestartableTimer(options.timers);
    window.addEventListener('pagehide', this.#onPageHide);
  }

  /** Release the kernel, and shut it down if no other tab uses it. May be called more than once. */
  dispose(): void {
    if (!this.#disposed) {
      this.#disposed = true;
      window.removeEventListener('pagehide', this.#onPageHide);
      this.#releaseKernel();
    }
  }

  /** Send a request after the previous one has ended, because the kernel executes one at a time. */
  async call(request: BackendRequest): Promise<unknown> {
    const response = this.#queue.then(() => this.#callWithRetry(request));
    this.#queue = response.catch(() => undefined);
    return response;
  }

  async #callWithRetry(request: BackendRequest): Promise<unknown> {
    if (request.path.endsWith('refresh=1')) {
      this.#options.specsWithoutPackage.clear();
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
      const kernel = await this.#liveKernel();
      this.#sharedKernel.markUsed(kernel.id);
      this.#idleTimer.set(KERNEL_IDLE_TIMEOUT_MS, this.#onPageHide);
      return await evaluateExpression(kernel, requestExpression(request));
    } catch (error) {
      this.#kernel = null;
      throw error instanceof BackendError ? error : new BackendError('unreachable');
    }
  }

  /** Return the kernel, or a new one if it has ended. */
  async #liveKernel(): Promise<Kernel.IKernelConnection> {
    if ((await this.#kernel)?.isDisposed) {
      this.#kernel = null;
    }
    return (this.#kernel ??= this.#options.lock('helper', () => this.#findOrStartKernel()));
  }

  /** Connect to the kernel of another tab, or start one. */
  async #findOrStartKernel(): Promise<Kernel.IKernelConnection> {
    const { serviceManager } = this.#options;
    const kernelId = this.#sharedKernel.kernelId;
    const model = kernelId ? await serviceManager.kernels.findById(kernelId) : undefined;
    const kernel = model
      ? serviceManager.kernels.connectTo({ model, handleComms: false })
      : await this.#startKernel();
    kernel.iopubMessage.connect(this.#onMessage);
    this.#sharedKernel.markUsed(kernel.id);
    return kernel;
  }

  /** Handle a change event, which the kernel sends as display data. */
  readonly #onMessage = (_: unknown, { content }: KernelMessage.IIOPubMessage): void => {
    const event = asObject(asObject(content).data)[EVENT_MIME_TYPE];
    if (event !== undefined) {
      this.#options.onEvent(event);
    }
  };

  async #startKernel(): Promise<Kernel.IKernelConnection> {
    const { specsWithoutPackage } = this.#options;
    for (const name of (await this.#pythonSpecNames()).filter(
      (each) => !specsWithoutPackage.has(each),
    )) {
      const kernel = await this.#startSpec(name);
      if (kernel !== null) {
        return kernel;
      }
      specsWithoutPackage.add(name);
    }
    throw new BackendError('no-backend');
  }

  /** Return the names of the Python kernel specs, the default one first. */
  async #pythonSpecNames(): Promise<string[]> {
    const { kernelspecs } = this.#options.serviceManager;
    await kernelspecs.ready;
    const { default: defaultName, kernelspecs: specs } = kernelspecs.specs ?? {
      default: '',
      kernelspecs: {},
    };
    return Object.entries(specs)
      .filter(([, spec]) => spec?.language === 'python')
      .map(([name]) => name)
      .sort((one, other) => Number(other === defaultName) - Number(one === defaultName));
  }

  /** Start a kernel; returns `null` when it does not have the package. */
  async #startSpec(name: string): Promise<Kernel.IKernelConnection | null> {
    const { kernels } = this.#options.serviceManager;
    const kernel = await kernels.startNew({ name }, { handleComms: false });
    const hasPackage = await evaluateExpression(
      kernel,
      `__import__('importlib.util').util.find_spec('${HELPER_MODULE}')`,
    )
      .then((repr) => repr !== 'None')
      .catch(() => false);
    if (!hasPackage) {
      await kernel.shutdown();
      return null;
    }
    return kernel;
  }

  readonly #onPageHide = (): void => {
    this.#releaseKernel();
  };

  #releaseKernel(): void {
    const kernel = this.#kernel;
    this.#kernel = null;
    this.#idleTimer.clear();
    void kernel?.then((each) => this.#shutDownIfUnused(each)).catch(() => undefined);
  }

  async #shutDownIfUnused(kernel: Kernel.IKernelConnection): Promise<void> {
    if (this.#sharedKernel.release(kernel.id)) {
      const { serverSettings } = this.#options.serviceManager;
      // The page may be closing, and the request must continue after that.
      const init = { ...serverSettings.init, keepalive: true };
      await KernelAPI.shutdownKernel(kernel.id, { ...serverSettings, init });
    }
    kernel.dispose();
  }
}

/** Return the Python expression of a request, in ASCII. A JSON string is also a Python string. */
function requestExpression({ method, path, body }: BackendRequest): string {
  const language = document.documentElement.lang;
  const json = JSON.stringify({ method, path, body: body ?? null, language });
  const ascii = json.replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `__import__('${HELPER_MODULE}', fromlist=['handle_request']).handle_request(${JSON.stringify(ascii)})`;
}

/** Evaluate an expression, without an entry in the kernel's history; returns the `repr` of its value. */
async function evaluateExpression(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<string> {
  const future = kernel.requestExecute({
    ...{ code: '', silent: true, store_history: false, stop_on_error: false, allow_stdin: false },
    user_expressions: { result: expression },
  });
  const reply = await future.done;
  const { result } = asObject(asObject(reply.content).user_expressions);
  const { status, data, ename } = asObject(result);
  if (status !== 'ok') {
    throw new BackendError('failed', asString(ename));
  }
  return asString(asObject(data)['text/plain']);
}

/** Return the JSON in the `repr` of an ASCII string. */
function parseRepr(repr: string): unknown {
  try {
    return JSON.parse(repr.slice(1, -1).replace(/\\(['\\])/g, '$1')) as unknown;
  } catch {
    throw new BackendError('invalid-response');
  }
}

/** The backend that is a kernel of our own, for a Jupyter server that has no routes of ours. */

import {
  type Kernel,
  KernelAPI,
  type KernelMessage,
  type ServiceManager,
} from '@jupyterlab/services';
import { RestartableTimer } from '../countdown/clock';
import { asObject, asNumber, asString } from '../countdown/messages';
import type { BrowserLock } from '../browser/lock';
import { SharedKernel, type SharedKernelOptions, KERNEL_IDLE_TIMEOUT_MS } from './shared-kernel';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

/** What the helper is made of. */
export interface HelperKernelOptions extends Omit<SharedKernelOptions, 'serverUrl'> {
  readonly serviceManager: Pick<
    ServiceManager.IManager,
    'kernels' | 'kernelspecs' | 'serverSettings'
  >;
  /** So that two tabs do not start two kernels. */
  readonly lock: BrowserLock;
  /** Told each event that the kernel sends by itself. */
  readonly onEvent: (event: unknown) => void;
  /** The kernel specs found to be without the package; a person's own question tries them again. */
  readonly specsWithoutPackage: Set<string>;
}

const EVENT_MIME_TYPE = 'application/vnd.modelarts-magics.news+json';

const HELPER_MODULE = 'modelarts_magics.helper_kernel.requests';

/**
 * Asks a kernel; started at the first question, with the first kernel spec that has the package, and
 * ended when no tab has used it for a while.
 */
export class HelperKernelBackend implements IBackend {
  readonly kind = 'helper-kernel';
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

  /** Let go of the kernel, and end it. Calling it twice is fine. */
  dispose(): void {
    if (!this.#disposed) {
      this.#disposed = true;
      window.removeEventListener('pagehide', this.#onPageHide);
      this.#releaseKernel();
    }
  }

  /** Ask; one question after another, since the kernel takes them so. */
  async call(request: BackendRequest): Promise<unknown> {
    const answer = this.#queue.then(() => this.#callWithRetry(request));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  async #callWithRetry(request: BackendRequest): Promise<unknown> {
    if (request.path.endsWith('refresh=1')) {
      this.#options.specsWithoutPackage.clear();
    }
    // A kernel that went meanwhile is replaced; a change says what it was made from, so it is not made twice.
    const answerRepr = await this.#callOnce(request).catch((error: unknown) => {
      if (error instanceof BackendError && error.code === 'unreachable') {
        return this.#callOnce(request);
      }
      throw error;
    });
    const { status, body } = asObject(parseRepr(answerRepr));
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

  /** The kernel; another one where it has died, or somebody has ended it. */
  async #liveKernel(): Promise<Kernel.IKernelConnection> {
    if ((await this.#kernel)?.isDisposed) {
      this.#kernel = null;
    }
    return (this.#kernel ??= this.#options.lock('helper', () => this.#findOrStartKernel()));
  }

  /** The kernel that another tab has, else a new one. */
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

  /** What the kernel sends by itself, in the form of something to display. */
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

  /** The Python kernel specs, the default one first. */
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

  /** Start a kernel; answers `null` when it does not have the package. */
  async #startSpec(name: string): Promise<Kernel.IKernelConnection | null> {
    const { kernels } = this.#options.serviceManager;
    const kernel = await kernels.startNew({ name }, { handleComms: false });
    const hasPackage = await evaluateExpression(
      kernel,
      `__import__('importlib.util').util.find_spec('${HELPER_MODULE}')`,
    )
      .then((said) => said !== 'None')
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
      // The page may be going: the request has to outlive it.
      const init = { ...serverSettings.init, keepalive: true };
      await KernelAPI.shutdownKernel(kernel.id, { ...serverSettings, init });
    }
    kernel.dispose();
  }
}

/** The expression that asks: all of it is ASCII, and a JSON text is a Python text too. */
function requestExpression({ method, path, body }: BackendRequest): string {
  const language = document.documentElement.lang;
  const asked = JSON.stringify({ method, path, body: body ?? null, language });
  const ascii = asked.replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `__import__('${HELPER_MODULE}', fromlist=['handle']).handle(${JSON.stringify(ascii)})`;
}

/** The `repr` of what an expression gives; nothing of it enters the kernel's history. */
async function evaluateExpression(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<string> {
  const future = kernel.requestExecute({
    ...{ code: '', silent: true, store_history: false, stop_on_error: false, allow_stdin: false },
    user_expressions: { answer: expression },
  });
  const reply = await future.done;
  const { answer } = asObject(asObject(reply.content).user_expressions);
  const { status, data, ename } = asObject(answer);
  if (status !== 'ok') {
    throw new BackendError('failed', asString(ename));
  }
  return asString(asObject(data)['text/plain']);
}

/** The JSON inside the `repr` of a text without anything but ASCII. */
function parseRepr(repr: string): unknown {
  try {
    return JSON.parse(repr.slice(1, -1).replace(/\\(['\\])/g, '$1')) as unknown;
  } catch {
    throw new BackendError('invalid-response');
  }
}

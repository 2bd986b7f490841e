/** The backend that is a kernel of our own, for a Jupyter server that has no routes of ours. */

import {
  type Kernel,
  KernelAPI,
  type KernelMessage,
  type ServiceManager,
} from '@jupyterlab/services';
import { Alarm } from '../countdown/clock';
import { fields, number, text } from '../countdown/messages';
import type { Exclusive } from '../browser/lock';
import { Share, type ShareOptions, UNUSED_MS } from './shared-kernel';
import { BackendError, type BackendRequest, type IBackend } from '../tokens';
import { readError } from './validate';

/** What the helper is made of. */
export interface HelperOptions extends Omit<ShareOptions, 'server'> {
  readonly serviceManager: Pick<
    ServiceManager.IManager,
    'kernels' | 'kernelspecs' | 'serverSettings'
  >;
  /** So that two tabs do not start two kernels. */
  readonly exclusive: Exclusive;
  /** Told each event that the kernel sends by itself. */
  readonly tell: (event: unknown) => void;
  /** The kernel specs found to be without the package; a person's own question tries them again. */
  readonly without: Set<string>;
}

const NEWS = 'application/vnd.modelarts-magics.news+json';

const MODULE = 'modelarts_magics.helper_kernel.requests';

/**
 * Asks a kernel; started at the first question, with the first kernel spec that has the package, and
 * ended when no tab has used it for a while.
 */
export class HelperBackend implements IBackend {
  readonly kind = 'helper';
  readonly tells = false;
  readonly #options: HelperOptions;
  readonly #share: Share;
  readonly #unused: Alarm;
  #kernel: Promise<Kernel.IKernelConnection> | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(options: HelperOptions) {
    this.#options = options;
    this.#share = new Share({ ...options, server: options.serviceManager.serverSettings.baseUrl });
    this.#unused = new Alarm(options.timers);
    window.addEventListener('pagehide', this.#onHide);
  }

  /** Let go of the kernel, and end it. Calling it twice is fine. */
  dispose(): void {
    if (!this.#disposed) {
      this.#disposed = true;
      window.removeEventListener('pagehide', this.#onHide);
      this.#end();
    }
  }

  /** Ask; one question after another, since the kernel takes them so. */
  async call(request: BackendRequest): Promise<unknown> {
    const answer = this.#queue.then(() => this.#ask(request));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  async #ask(request: BackendRequest): Promise<unknown> {
    if (request.path.endsWith('refresh=1')) {
      this.#options.without.clear();
    }
    // A kernel that went meanwhile is replaced; a change says what it was made from, so it is not made twice.
    const said = await this.#tryOnce(request).catch((error: unknown) => {
      if (error instanceof BackendError && error.code === 'unreachable') {
        return this.#tryOnce(request);
      }
      throw error;
    });
    const { status, body } = fields(parse(said));
    if (number(status) !== 200) {
      throw readError(number(status) ?? 500, body);
    }
    return body;
  }

  async #tryOnce(request: BackendRequest): Promise<string> {
    try {
      const kernel = await this.#living();
      this.#share.use(kernel.id);
      this.#unused.set(UNUSED_MS, this.#onHide);
      return await evaluate(kernel, callOf(request));
    } catch (error) {
      this.#kernel = null;
      throw error instanceof BackendError ? error : new BackendError('unreachable');
    }
  }

  /** The kernel; another one where it has died, or somebody has ended it. */
  async #living(): Promise<Kernel.IKernelConnection> {
    if ((await this.#kernel)?.isDisposed) {
      this.#kernel = null;
    }
    return (this.#kernel ??= this.#options.exclusive('helper', () => this.#open()));
  }

  /** The kernel that another tab has, else a new one. */
  async #open(): Promise<Kernel.IKernelConnection> {
    const { serviceManager } = this.#options;
    const known = this.#share.kernel;
    const model = known ? await serviceManager.kernels.findById(known) : undefined;
    const kernel = model
      ? serviceManager.kernels.connectTo({ model, handleComms: false })
      : await this.#startOne();
    kernel.iopubMessage.connect(this.#onMessage);
    this.#share.use(kernel.id);
    return kernel;
  }

  /** What the kernel sends by itself, in the form of something to display. */
  readonly #onMessage = (_: unknown, { content }: KernelMessage.IIOPubMessage): void => {
    const event = fields(fields(content).data)[NEWS];
    if (event !== undefined) {
      this.#options.tell(event);
    }
  };

  async #startOne(): Promise<Kernel.IKernelConnection> {
    const { without } = this.#options;
    for (const name of (await this.#specs()).filter((each) => !without.has(each))) {
      const kernel = await this.#start(name);
      if (kernel !== null) {
        return kernel;
      }
      without.add(name);
    }
    throw new BackendError('absent');
  }

  /** The Python kernel specs, the default one first. */
  async #specs(): Promise<string[]> {
    const { kernelspecs } = this.#options.serviceManager;
    await kernelspecs.ready;
    const { default: first, kernelspecs: all } = kernelspecs.specs ?? {
      default: '',
      kernelspecs: {},
    };
    return Object.entries(all)
      .filter(([, spec]) => spec?.language === 'python')
      .map(([name]) => name)
      .sort((one, other) => Number(other === first) - Number(one === first));
  }

  /** Start a kernel; answers `null` when it does not have the package. */
  async #start(name: string): Promise<Kernel.IKernelConnection | null> {
    const { kernels } = this.#options.serviceManager;
    const kernel = await kernels.startNew({ name }, { handleComms: false });
    const found = await evaluate(kernel, `__import__('importlib.util').util.find_spec('${MODULE}')`)
      .then((said) => said !== 'None')
      .catch(() => false);
    if (!found) {
      await kernel.shutdown();
      return null;
    }
    return kernel;
  }

  readonly #onHide = (): void => {
    this.#end();
  };

  #end(): void {
    const kernel = this.#kernel;
    this.#kernel = null;
    this.#unused.clear();
    void kernel?.then((each) => this.#letGo(each)).catch(() => undefined);
  }

  async #letGo(kernel: Kernel.IKernelConnection): Promise<void> {
    if (this.#share.leave(kernel.id)) {
      const { serverSettings } = this.#options.serviceManager;
      // The page may be going: the request has to outlive it.
      const init = { ...serverSettings.init, keepalive: true };
      await KernelAPI.shutdownKernel(kernel.id, { ...serverSettings, init });
    }
    kernel.dispose();
  }
}

/** The expression that asks: all of it is ASCII, and a JSON text is a Python text too. */
function callOf({ method, path, body }: BackendRequest): string {
  const language = document.documentElement.lang;
  const asked = JSON.stringify({ method, path, body: body ?? null, language });
  const ascii = asked.replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `__import__('${MODULE}', fromlist=['handle']).handle(${JSON.stringify(ascii)})`;
}

/** The `repr` of what an expression gives; nothing of it enters the kernel's history. */
async function evaluate(kernel: Kernel.IKernelConnection, expression: string): Promise<string> {
  const future = kernel.requestExecute({
    ...{ code: '', silent: true, store_history: false, stop_on_error: false, allow_stdin: false },
    user_expressions: { answer: expression },
  });
  const reply = await future.done;
  const { answer } = fields(fields(reply.content).user_expressions);
  const { status, data, ename } = fields(answer);
  if (status !== 'ok') {
    throw new BackendError('failed', text(ename));
  }
  return text(fields(data)['text/plain']);
}

/** The JSON inside the `repr` of a text without anything but ASCII. */
function parse(repr: string): unknown {
  try {
    return JSON.parse(repr.slice(1, -1).replace(/\\(['\\])/g, '$1')) as unknown;
  } catch {
    throw new BackendError('bad-answer');
  }
}

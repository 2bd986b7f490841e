/** Finds the helper kernel of a server, or starts one from the first kernel spec with the package. */

import { ServerConnection, type ServiceManager, type Session } from '@jupyterlab/services';
import type { Timers } from '../countdown/clock';
import { BackendError } from '../tokens';
import { asciiJson, evaluateExpression } from './kernel-expressions';
import type { InstallationRecord, SpecMemory, UnusableReason } from './spec-memory';

/** The name of the session by which all browsers find the helper kernel of a server. */
export const HELPER_NAME = 'ModelArts helper';
/** The Python module that answers the requests. */
export const HELPER_MODULE = 'modelarts_magics.helper_kernel';

/** Milliseconds that a kernel may take to start before the next spec is tried beside it. */
export const START_LIMIT_MS = 10_000;
/** Milliseconds that a started kernel may take to answer. */
export const ANSWER_LIMIT_MS = 5_000;
/** Milliseconds after which a kernel that has not answered is given up. */
export const PATIENCE_MS = 60_000;

/** Options of {@link KernelSearch}. */
export interface KernelSearchOptions {
  /** Jupyter's services for sessions and kernel specs. */
  readonly serviceManager: Pick<ServiceManager.IManager, 'kernelspecs' | 'sessions'>;
  /** Which specs have the package. */
  readonly memory: SpecMemory;
  /** Read the record of the installation. */
  readonly loadRecord: () => Promise<InstallationRecord>;
  /** Clock and timers. */
  readonly timers: Timers;
}

/** A kernel that is being tried. */
interface Attempt {
  readonly spec: string;
  /** The session; rejected if it cannot be opened. */
  readonly session: Promise<Session.ISessionConnection>;
  /** Resolved when the kernel has started; rejected if it has died. */
  readonly started: Promise<unknown>;
  /** Whether the kernel has the package. */
  readonly hasPackage: Promise<boolean>;
}

const SLOW = Symbol('slow');
const DEAD = Symbol('dead');

/** Return why a kernel without a positive answer is unusable. */
function unusableReason(answer: false | typeof DEAD | typeof SLOW): UnusableReason {
  if (answer === SLOW) {
    return 'no-answer';
  }
  return answer === DEAD ? 'no-start' : 'no-package';
}

/** Finds or starts the helper kernel. */
export class KernelSearch {
  readonly #options: KernelSearchOptions;

  constructor(options: KernelSearchOptions) {
    this.#options = options;
  }

  /**
   * Connect to the helper kernel of the server, or start one.
   *
   * A kernel that takes long is not given up while others are tried: a slow start is not an absence.
   *
   * @throws {@link BackendError} `no-backend` when no kernel spec has the package, `no-answer` when no
   *   kernel answers, `unreachable` when the server does not
   */
  async find(): Promise<Session.ISessionConnection> {
    const record = await this.#options.loadRecord();
    const { sessions } = this.#options.serviceManager;
    await sessions.refreshRunning().catch(throwUnreachable);
    const slow: Attempt[] = [];
    const running = this.#helperSessions().map(
      (model) => () =>
        this.#attempt(model.kernel?.name ?? '', record, () =>
          Promise.resolve(this.#connect(model)),
        ),
    );
    const names = await this.#candidates(record);
    const startable = names.map(
      (name) => () => this.#attempt(name, record, () => this.#startSession(name)),
    );
    for (const begin of [...running, ...startable]) {
      const attempt = begin();
      const isUsable = await this.#check(attempt);
      if (isUsable === true) {
        slow.forEach((each) => void this.#discard(each));
        return this.#accept(attempt);
      }
      if (isUsable === SLOW) {
        slow.push(attempt);
      } else {
        await this.#reject(attempt, record, unusableReason(isUsable));
      }
    }
    return this.#waitForSlow(slow, record);
  }

  /** Return the names of the Python kernel specs. */
  #pythonSpecs(): string[] {
    const specs = this.#options.serviceManager.kernelspecs.specs?.kernelspecs ?? {};
    return Object.keys(specs)
      .filter((name) => specs[name]?.language.toLowerCase() === 'python')
      .sort();
  }

  /** Return the names of the Python kernel specs, in the order in which they are tried. */
  async #candidates(record: InstallationRecord): Promise<string[]> {
    const { memory, serviceManager } = this.#options;
    const { kernelspecs, sessions } = serviceManager;
    await kernelspecs.ready;
    const defaultName = kernelspecs.specs?.default;
    const names = this.#pythonSpecs();
    const models = [...sessions.running()];
    const opened = models
      .filter(({ type }) => type === 'notebook')
      .map(({ kernel }) => kernel?.name);
    const taken = this.#helperSessions().map(({ kernel }) => kernel?.name);
    const preferred = [memory.served, record.kernel, ...opened, defaultName];
    return [...new Set([...preferred, ...names])].filter(
      (name): name is string =>
        name !== undefined &&
        names.includes(name) &&
        !taken.includes(name) &&
        memory.whyUnusable(name, record) === '',
    );
  }

  /** Return the error for the case that no kernel can be used. */
  #noKernel(record: InstallationRecord): BackendError {
    const { memory } = this.#options;
    const reasons = this.#pythonSpecs().map((name) => memory.whyUnusable(name, record));
    // Where no kernel at all has answered, it is more likely that none can be reached.
    const isSilent = reasons.includes('no-answer') && !reasons.includes('no-package');
    return new BackendError(isSilent ? 'no-answer' : 'no-backend');
  }

  /** Return the sessions of helper kernels, in an order that is the same for all pages. */
  #helperSessions(): Session.IModel[] {
    return [...this.#options.serviceManager.sessions.running()]
      .filter(({ name, kernel }) => name === HELPER_NAME && kernel !== null)
      .sort((one, other) => one.id.localeCompare(other.id));
  }

  #connect(model: Session.IModel): Session.ISessionConnection {
    const { sessions } = this.#options.serviceManager;
    return sessions.connectTo({ model, kernelConnectionOptions: { handleComms: false } });
  }

  /** Start a kernel. Of two browsers that do so at the same time, the server gives both the same one. */
  #startSession(spec: string): Promise<Session.ISessionConnection> {
    return this.#options.serviceManager.sessions.startNew(
      {
        ...{ name: HELPER_NAME, path: `${HELPER_NAME} (${spec})`, type: 'modelarts-helper' },
        kernel: { name: spec },
      },
      { kernelConnectionOptions: { handleComms: false } },
    );
  }

  #attempt(
    spec: string,
    record: InstallationRecord,
    open: () => Promise<Session.ISessionConnection>,
  ): Attempt {
    const session = open();
    const started = session.then(whenStarted);
    const hasPackage = started.then(async (kernel) => {
      return (await evaluateExpression(kernel, probeExpression(record))) === 'True';
    });
    // Each promise is awaited where it is needed, which may be never.
    hasPackage.catch(() => undefined);
    return { spec, session, started, hasPackage };
  }

  /** Return whether a kernel has the package, that it has not answered in time, or that it cannot. */
  async #check(attempt: Attempt): Promise<boolean | typeof DEAD | typeof SLOW> {
    try {
      const started = await this.#within(START_LIMIT_MS, attempt.started);
      return started === SLOW ? SLOW : await this.#within(ANSWER_LIMIT_MS, attempt.hasPackage);
    } catch (error) {
      if (isUnreachable(error)) {
        throwUnreachable();
      }
      return DEAD;
    }
  }

  /** Wait for the first of the slow kernels that has the package. */
  async #waitForSlow(
    slow: readonly Attempt[],
    record: InstallationRecord,
  ): Promise<Session.ISessionConnection> {
    const answers = slow.map(async (attempt) => {
      const isUsable = await this.#within(PATIENCE_MS, attempt.hasPackage).catch(
        (): typeof DEAD => DEAD,
      );
      if (isUsable !== true) {
        await this.#reject(attempt, record, unusableReason(isUsable));
        throw new BackendError('failed');
      }
      return attempt;
    });
    const found = await Promise.any(answers).catch(() => {
      throw this.#noKernel(record);
    });
    slow.filter((each) => each !== found).forEach((each) => void this.#discard(each));
    return this.#accept(found);
  }

  async #accept(attempt: Attempt): Promise<Session.ISessionConnection> {
    this.#options.memory.markServed(attempt.spec);
    return attempt.session;
  }

  async #reject(
    attempt: Attempt,
    record: InstallationRecord,
    reason: UnusableReason,
  ): Promise<void> {
    this.#options.memory.markUnusable(attempt.spec, record.version, reason);
    await this.#discard(attempt);
  }

  async #discard({ session }: Attempt): Promise<void> {
    await session.then((each) => each.shutdown()).catch(() => undefined);
  }

  /** Return the result of a promise, or `SLOW` after a time. */
  #within<T>(limitMs: number, promise: Promise<T>): Promise<T | typeof SLOW> {
    const { timers } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = timers.setTimeout(() => {
        resolve(SLOW);
      }, limitMs);
      promise.then(resolve, reject).finally(() => {
        timers.clearTimeout(timer);
      });
    });
  }
}

type KernelConnection = NonNullable<Session.ISessionConnection['kernel']>;

/** Return the kernel of a session when it has started; fails if it dies before. */
async function whenStarted(session: Session.ISessionConnection): Promise<KernelConnection> {
  const { kernel } = session;
  if (kernel === null) {
    throw new BackendError('failed');
  }
  const died = new Promise<never>((_, reject) => {
    kernel.statusChanged.connect((_sender, status) => {
      if (status === 'dead' || status === 'autorestarting') {
        reject(new BackendError('failed'));
      }
    });
  });
  await Promise.race([kernel.info, died]);
  return kernel;
}

/** Return the expression that is true in a kernel with the package, and raises nothing without it. */
function probeExpression({ activate }: InstallationRecord): string {
  const search = `(lambda find: bool(find('modelarts_magics') and find('${HELPER_MODULE}')))(__import__('importlib.util').util.find_spec)`;
  return activate
    ? `bool(__import__('os').path.exists(${asciiJson(activate)}) and __import__('runpy').run_path(${asciiJson(activate)}) or True) and ${search}`
    : search;
}

/** Return whether an error means that the server, or a proxy before it, did not answer. */
function isUnreachable(error: unknown): boolean {
  return error instanceof ServerConnection.ResponseError
    ? error.response.status > 500 || error.response.status === 403
    : error instanceof ServerConnection.NetworkError;
}

function throwUnreachable(): never {
  throw new BackendError('unreachable');
}

/** Fake kernels for the tests of the helper kernel. */

import { ServerConnection, type ServiceManager } from '@jupyterlab/services';
import { HelperKernelBackend } from '../../src/backend/helper-kernel';
import { FakeTimers } from '../countdown/fakes';
import { fakeLock } from '../fakes';
/** A request with `keepalive`, which happy-dom does not have. */
class KeepaliveRequest extends Request {
  override readonly keepalive: boolean;

  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(input, init);
    this.keepalive = init?.keepalive === true;
  }
}

/** Kernels whose results are set by the test. */
export class FakeKernels {
  readonly startedSpecs: string[] = [];
  readonly endedKernels: string[] = [];
  readonly running = new Set<string>();
  readonly stored = new Map<string, string>();
  evaluate = (_spec: string, expression: string): string =>
    expression.includes('find_spec') ? 'ModuleSpec(…)' : `'{"status": 200, "body": {"ok": true}}'`;
  readonly expressions: string[] = [];
  /** Send a message that is not a response. */
  sendMessage: (message: object) => void = () => undefined;
  /** The ids of kernels that another process has shut down. */
  readonly endedElsewhere = new Set<string>();

  readonly #kernel = (id: string, spec: string, gone = this.endedElsewhere) => ({
    id,
    get isDisposed() {
      return gone.has(id);
    },
    dispose: () => undefined,
    iopubMessage: {
      connect: (slot: (_: unknown, message: object) => void) => {
        this.sendMessage = (message) => {
          slot(null, message);
        };
      },
    },
    requestExecute: ({
      user_expressions: { result: expression },
    }: {
      user_expressions: { result: string };
    }) => {
      this.expressions.push(expression);
      const data = { 'text/plain': this.evaluate(spec, expression) };
      const content = { user_expressions: { result: { status: 'ok', data } } };
      return { done: Promise.resolve({ content }) };
    },
    shutdown: () => {
      this.#end(id);
      return Promise.resolve();
    },
  });

  #end(id: string): void {
    this.endedKernels.push(id);
    this.running.delete(id);
  }

  readonly #fetch = (input: unknown) => {
    const { method, url, keepalive } = input as Request;
    const [, id = ''] = /^http:\/\/server\/user\/a\/api\/kernels\/(.*?)(\?|$)/.exec(url) ?? [];
    if (method !== 'DELETE' || !keepalive) {
      throw new Error(`${method} ${url}`);
    }
    this.#end(id);
    return Promise.resolve(new Response(null, { status: 204 }));
  };

  readonly serviceManager = {
    serverSettings: ServerConnection.makeSettings({
      ...{ baseUrl: 'http://server/user/a/', token: '' },
      ...{ fetch: this.#fetch, Request: KeepaliveRequest },
    }),
    kernels: {
      findById: (id: string) => Promise.resolve(this.running.has(id) ? { id } : undefined),
      connectTo: ({ model }: { model: { id: string } }) => this.#kernel(model.id, 'py'),
      startNew: ({ name }: { name: string }) => {
        this.startedSpecs.push(name);
        this.running.add(`k-${name}`);
        return Promise.resolve(this.#kernel(`k-${name}`, name));
      },
    },
    kernelspecs: {
      ready: Promise.resolve(),
      specs: {
        default: 'py',
        kernelspecs: {
          ...{ conda: { language: 'python' }, ir: { language: 'R' } },
          py: { language: 'python' },
        },
      },
    },
  } as unknown as ServiceManager.IManager;

  readonly storage = {
    getItem: (name: string) => this.stored.get(name) ?? null,
    setItem: (name: string, value: string) => this.stored.set(name, value),
    removeItem: (name: string) => this.stored.delete(name),
  };

  readonly timers = new FakeTimers();
  readonly events: unknown[] = [];
  readonly without = new Set<string>();
  readonly exclusive = fakeLock();

  createBackend(): HelperKernelBackend {
    const { serviceManager, storage, timers } = this;
    const { exclusive, without } = this;
    const tell = (event: unknown): void => void this.events.push(event);
    return new HelperKernelBackend({
      serviceManager,
      storage,
      timers,
      lock: exclusive,
      onEvent: tell,
      specsWithoutPackage: without,
    });
  }
}

import { ServerConnection, type ServiceManager } from '@jupyterlab/services';
import { afterEach, describe, expect, it } from 'vitest';
import { HelperKernelBackend } from '../../src/backend/helper-kernel';
import { LazyBackend } from '../../src/backend/lazy';
import { RestBackend } from '../../src/backend/rest';
import { SharedKernel, KERNEL_IDLE_TIMEOUT_MS } from '../../src/backend/shared-kernel';
import { FakeTimers } from '../countdown/fakes';
import { FakeBackend, fakeLock, flushPromises } from '../fakes';

function restBackend(reply: () => Response | Promise<Response>) {
  const requests: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/user/a/',
    token: '',
    fetch: (input) => {
      requests.push(input as Request);
      return Promise.resolve(reply());
    },
  });
  return { backend: new RestBackend(settings), requests };
}

const jsonResponse = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status });

describe('the REST backend', () => {
  it('sends the language of the page to the server', async () => {
    const { backend, requests } = restBackend(() => jsonResponse({ a: 1 }));
    document.documentElement.lang = 'zh-CN';
    expect(await backend.call({ method: 'POST', path: 'extend', body: { seconds: 1 } })).toEqual({
      a: 1,
    });
    document.documentElement.lang = '';
    const [request] = requests;
    expect(request?.url).toMatch('http://server/user/a/modelarts-magics/v1/extend');
    expect(request?.headers.get('Accept-Language')).toBe('zh-CN');
    expect(await request?.json()).toEqual({ seconds: 1 });
  });

  it.each([
    ['no-backend', () => jsonResponse({ message: 'Not Found' }, 404)],
    ['refuse.off', () => jsonResponse({ code: 'refuse.off', message: 'x' }, 422)],
    ['failed', () => new Response('<html>', { status: 502 })],
    ['unreachable', () => Promise.reject(new TypeError('network'))],
  ])('fails with the code %s', async (code, reply) => {
    const { backend } = restBackend(reply);
    await expect(backend.call({ method: 'GET', path: 'instance' })).rejects.toMatchObject({ code });
  });
});

/** A request with `keepalive`, which happy-dom does not have. */
class KeepaliveRequest extends Request {
  override readonly keepalive: boolean;

  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(input, init);
    this.keepalive = init?.keepalive === true;
  }
}

/** Kernels whose results are set by the test. */
class FakeKernels {
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

const GET = { method: 'GET', path: 'instance' } as const;

describe('the helper kernel', () => {
  const made: HelperKernelBackend[] = [];
  const make = (kernels: FakeKernels): HelperKernelBackend => {
    const backend = kernels.createBackend();
    made.push(backend);
    return backend;
  };

  afterEach(() => {
    made.splice(0).forEach((each) => {
      each.dispose();
    });
  });

  it('starts once, with the first request', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    expect(kernels.startedSpecs).toEqual([]);
    expect(await backend.call(GET)).toEqual({ ok: true });
    await backend.call(GET);
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it('uses a kernel spec with the package', async () => {
    const kernels = new FakeKernels();
    const { evaluate } = kernels;
    kernels.evaluate = (spec, expression) =>
      spec === 'py' && expression.includes('find_spec') ? 'None' : evaluate(spec, expression);
    await make(kernels).call(GET);
    expect(kernels.startedSpecs).toEqual(['py', 'conda']);
    expect(kernels.endedKernels).toEqual(['k-py']);
  });

  it('does not search again if no kernel has the package', async () => {
    const kernels = new FakeKernels();
    const { evaluate } = kernels;
    kernels.evaluate = () => 'None';
    for (let turn = 0; turn < 3; turn++) {
      await expect(make(kernels).call(GET)).rejects.toMatchObject({ code: 'no-backend' });
    }
    expect(kernels.running.size).toBe(0);
    expect(kernels.startedSpecs).toEqual(['py', 'conda']);
    kernels.evaluate = evaluate;
    expect(await make(kernels).call({ ...GET, path: 'instance?refresh=1' })).toEqual({ ok: true });
  });

  it('passes on change events', async () => {
    const kernels = new FakeKernels();
    await make(kernels).call(GET);
    const event = { server_id: 'b', seq: 2, kind: 'instance' };
    kernels.sendMessage({
      content: { data: { 'application/vnd.modelarts-magics.event+json': event } },
    });
    kernels.sendMessage({ content: { data: { 'text/plain': 'x' } } });
    kernels.sendMessage({ content: { execution_state: 'idle' } });
    expect(kernels.events).toEqual([event]);
  });

  it('is replaced if it ends during a request', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    const { evaluate } = kernels;
    kernels.evaluate = () => {
      kernels.evaluate = evaluate;
      kernels.running.clear();
      throw new Error('Canceled future');
    };
    expect(await backend.call(GET)).toEqual({ ok: true });
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
  });

  it('starts once for two tabs at the same time', async () => {
    const kernels = new FakeKernels();
    await Promise.all([make(kernels).call(GET), make(kernels).call(GET)]);
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it('is shut down by the last tab that uses it', async () => {
    const kernels = new FakeKernels();
    const [one, other] = [make(kernels), make(kernels)];
    await one.call(GET);
    await other.call(GET);
    expect(kernels.startedSpecs).toEqual(['py']);
    one.dispose();
    one.dispose();
    await flushPromises();
    expect(kernels.running.size).toBe(1);
    expect(await other.call(GET)).toEqual({ ok: true });
    window.dispatchEvent(new Event('pagehide'));
    await flushPromises();
    expect(kernels.running.size).toBe(0);
    expect(kernels.stored.size).toBe(0);
    await other.call(GET);
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
  });

  it('is shut down when idle and started again on demand', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    kernels.timers.advance(KERNEL_IDLE_TIMEOUT_MS - 1);
    await backend.call(GET);
    kernels.timers.advance(KERNEL_IDLE_TIMEOUT_MS - 1);
    await flushPromises();
    expect(kernels.running.size).toBe(1);
    kernels.timers.advance(1);
    await flushPromises();
    expect(kernels.running.size).toBe(0);
    await backend.call(GET);
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
  });

  it('is replaced if it has died', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    kernels.endedElsewhere.add('k-py');
    kernels.running.clear();
    await backend.call(GET);
    kernels.endedElsewhere.clear();
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
  });

  it('starts despite an invalid stored record', async () => {
    const kernels = new FakeKernels();
    kernels.stored.set('modelarts-magics:helper:http://server/user/a/', 'k-py');
    expect(await make(kernels).call(GET)).toEqual({ ok: true });
  });

  it('is started per tab without storage', async () => {
    const kernels = new FakeKernels();
    kernels.storage.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    const backend = make(kernels);
    expect(await backend.call(GET)).toEqual({ ok: true });
    await backend.call(GET);
    expect(kernels.startedSpecs).toEqual(['py']);
    backend.dispose();
    await flushPromises();
    expect(kernels.running.size).toBe(0);
  });

  it('is unreachable if two attempts fail', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    kernels.evaluate = (_, expression) => {
      if (expression.includes('find_spec')) {
        return 'x';
      }
      throw new Error('Canceled future for execute_request');
    };
    await expect(backend.call(GET)).rejects.toMatchObject({ code: 'unreachable', message: '' });
  });

  it('sends and receives any text in ASCII', async () => {
    const kernels = new FakeKernels();
    kernels.evaluate = (_, expression) =>
      expression.includes('find_spec')
        ? 'x'
        : String.raw`'{"status": 200, "body": {"a": "it\'s \\u4e2d \\"q\\""}}'`;
    const answer = await make(kernels).call({ ...GET, body: { text: '中😀"\'' } });
    expect(answer).toEqual({ a: 'it\'s 中 "q"' });
    expect(kernels.expressions.at(-1)).toMatch(/^[\x20-\x7e]+$/);
  });

  it('passes on errors', async () => {
    const kernels = new FakeKernels();
    kernels.evaluate = (_, expression) =>
      expression.includes('find_spec')
        ? 'x'
        : `'{"status": 422, "body": {"code": "refuse.off", "message": "Off."}}'`;
    await expect(make(kernels).call(GET)).rejects.toMatchObject({
      code: 'refuse.off',
      status: 422,
    });
  });
});

describe('the record of the shared kernel', () => {
  function tabs() {
    const { storage, stored } = new FakeKernels();
    const timers = new FakeTimers();
    const make = (server = 'http://server/user/a/') =>
      new SharedKernel({ storage, timers, serverUrl: server });
    return { one: make(), other: make(), make, timers, stored };
  }

  it('ignores tabs that have not used it for long', () => {
    const { one: crashed, other, timers, stored } = tabs();
    crashed.markUsed('k');
    timers.advance(KERNEL_IDLE_TIMEOUT_MS - 1);
    other.markUsed('k');
    expect(other.release('k')).toBe(false);
    timers.advance(1);
    other.markUsed('k');
    expect(other.release('k')).toBe(true);
    expect(stored.size).toBe(0);
  });

  it('is separate for each server', () => {
    const { one, other, make } = tabs();
    const elsewhere = make('http://server/user/b/');
    one.markUsed('k');
    other.markUsed('k');
    expect(elsewhere.kernelId).toBe('');
    elsewhere.markUsed('l');
    expect(one.release('k')).toBe(false);
    expect(elsewhere.release('l')).toBe(true);
    expect(other.kernelId).toBe('k');
  });

  it('does not count tabs that use another kernel', () => {
    const { one, other } = tabs();
    one.markUsed('k');
    other.markUsed('l');
    expect(one.release('k')).toBe(true);
    expect(other.kernelId).toBe('l');
    // The record of the other tab is unchanged.
    expect(other.release('l')).toBe(true);
    other.markUsed('l');
    one.markUsed('l');
    expect(other.release('l')).toBe(false);
  });
});

it('is unreachable if loading fails, and loaded again later', async () => {
  const backend = new FakeBackend('helper-kernel', false);
  const loads = [() => Promise.reject(new Error('Loading chunk 134 failed.'))];
  const load = () => loads.pop()?.() ?? Promise.resolve(backend);
  const later = new LazyBackend('helper-kernel', load);
  const lost = { code: 'unreachable', message: '' };
  await expect(later.call(GET)).rejects.toMatchObject(lost);
  await later.call(GET);
  expect(backend.requestLines).toEqual(['GET instance']);
});

it('is loaded with the first request', async () => {
  const backend = new FakeBackend('helper-kernel', false);
  let loads = 0;
  const later = new LazyBackend('helper-kernel', () => {
    loads++;
    return Promise.resolve(backend);
  });
  expect(loads).toBe(0);
  await later.call(GET);
  await later.call(GET);
  later.dispose();
  await flushPromises();
  expect([loads, backend.isDisposed]).toEqual([1, true]);
});

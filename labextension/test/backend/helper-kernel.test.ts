import { afterEach, describe, expect, it } from 'vitest';
import { type HelperKernelBackend, HEARTBEAT_MS } from '../../src/backend/helper-kernel';
import { flushPromises } from '../fakes';
import { FakeKernels } from './fake-kernels';

const GET = { method: 'GET', path: 'instance' } as const;
const REFRESH = { ...GET, path: 'instance?refresh=1' } as const;

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

  it('starts once for two tabs at the same time', async () => {
    const kernels = new FakeKernels();
    await Promise.all([make(kernels).call(GET), make(kernels).call(GET)]);
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it('is found by its name in another browser, and goes on without its page', async () => {
    const kernels = new FakeKernels();
    await make(kernels).call(GET);
    made.splice(0).forEach((each) => {
      each.dispose();
    });
    window.dispatchEvent(new Event('pagehide'));
    await flushPromises();
    expect([...kernels.running.values()]).toEqual(['py']);
    kernels.stored.clear();
    await make(kernels).call(GET);
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it('sends a heartbeat once a minute, and no other request', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    for (let minute = 0; minute < 10; minute++) {
      kernels.timers.advance(HEARTBEAT_MS);
      await flushPromises();
    }
    expect(kernels.heartbeats).toEqual(Array(10).fill('modelarts-magics:page'));
    expect(kernels.expressions).toHaveLength(1);
    backend.dispose();
    backend.dispose();
    kernels.timers.advance(HEARTBEAT_MS);
    await flushPromises();
    expect(kernels.heartbeats).toHaveLength(10);
    expect(kernels.timers.pendingCount).toBe(0);
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

  it('lets the page read again after a lost connection', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    const pushes = [backend.pushesEvents];
    await backend.call(GET);
    pushes.push(backend.pushesEvents);
    kernels.setConnectionStatus('connecting');
    pushes.push(backend.pushesEvents);
    expect(kernels.events).toEqual([]);
    kernels.setConnectionStatus('connected');
    pushes.push(backend.pushesEvents);
    expect(kernels.events).toEqual([{}]);
    backend.dispose();
    pushes.push(backend.pushesEvents);
    expect(pushes).toEqual([false, true, false, true, false]);
  });

  it.each(['dead', 'autorestarting'])('is looked for again if it is %s', async (status) => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    kernels.running.clear();
    kernels.setStatus(status);
    expect(kernels.events).toEqual([{}]);
    await backend.call(GET);
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
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

  it('is unreachable if two attempts fail', async () => {
    const kernels = new FakeKernels();
    const backend = make(kernels);
    await backend.call(GET);
    kernels.evaluate = () => {
      throw new Error('Canceled future for execute_request');
    };
    await expect(backend.call(GET)).rejects.toMatchObject({ code: 'unreachable', message: '' });
  });

  it('tries all specs again when the user asks for it', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'without-package' };
    const backend = make(kernels);
    await expect(backend.call(GET)).rejects.toMatchObject({ code: 'no-backend' });
    await expect(backend.call(GET)).rejects.toMatchObject({ code: 'no-backend' });
    expect(kernels.startedSpecs).toEqual(['py']);
    kernels.specs = { py: 'has-package' };
    expect(await backend.call(REFRESH)).toEqual({ ok: true });
    expect(kernels.startedSpecs).toEqual(['py', 'py']);
  });

  it('sends and receives any text in ASCII', async () => {
    const kernels = new FakeKernels();
    kernels.response = String.raw`'{"status": 200, "body": {"a": "it\'s \\u4e2d \\"q\\""}}'`;
    const answer = await make(kernels).call({ ...GET, body: { text: '中😀"\'' } });
    expect(answer).toEqual({ a: 'it\'s 中 "q"' });
    expect(kernels.expressions.at(-1)).toMatch(/^[\x20-\x7e]+$/);
    expect(kernels.expressions.at(-1)).toContain(String.raw`\\u4e2d\\ud83d\\ude00`);
  });

  it('passes on errors', async () => {
    const kernels = new FakeKernels();
    kernels.response = `'{"status": 422, "body": {"code": "refuse.auto_stop_off", "message": "Off."}}'`;
    await expect(make(kernels).call(GET)).rejects.toMatchObject({
      code: 'refuse.auto_stop_off',
      status: 422,
    });
  });
});

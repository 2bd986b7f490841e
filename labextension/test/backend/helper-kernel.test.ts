import { afterEach, describe, expect, it } from 'vitest';
import { HelperKernelBackend } from '../../src/backend/helper-kernel';
import { KERNEL_IDLE_TIMEOUT_MS } from '../../src/backend/shared-kernel';
import { flushPromises } from '../fakes';
import { FakeKernels } from './fake-kernels';

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
        : `'{"status": 422, "body": {"code": "refuse.auto_stop_off", "message": "Off."}}'`;
    await expect(make(kernels).call(GET)).rejects.toMatchObject({
      code: 'refuse.auto_stop_off',
      status: 422,
    });
  });
});

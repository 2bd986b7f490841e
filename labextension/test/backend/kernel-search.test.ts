import { describe, expect, it } from 'vitest';
import { PATIENCE_MS, START_LIMIT_MS } from '../../src/backend/kernel-search';
import { RETRY_SPEC_AFTER_MS } from '../../src/backend/spec-memory';
import { flushPromises } from '../fakes';
import { FakeKernels, type SpecBehavior } from './fake-kernels';

const GET = { method: 'GET', path: 'instance' } as const;
const OURS = 'z-ours';

/** Open a page; returns the seconds until it has its first response, or the error. */
async function load(kernels: FakeKernels, limitS = 120): Promise<number | string> {
  const backend = kernels.createBackend();
  const results: (number | string)[] = [];
  const startMs = kernels.timers.monotonic();
  backend.call(GET).then(
    () => {
      results.push((kernels.timers.monotonic() - startMs) / 1000);
    },
    (error: unknown) => {
      results.push((error as { code: string }).code);
    },
  );
  for (let step = 0; step < limitS * 2; step++) {
    await flushPromises();
    await flushPromises();
    if (results.length > 0) {
      break;
    }
    kernels.timers.advance(500);
    if (kernels.timers.monotonic() - startMs >= 25_000) {
      kernels.startLate();
    }
  }
  await flushPromises();
  backend.dispose();
  return results[0] ?? 'pending';
}

describe('the search for the kernel', () => {
  it('tries the spec that served last, the installed one, that of a notebook and the default', async () => {
    const kernels = new FakeKernels();
    const names = ['py', 'b', 'a', 'noted', 'served', 'recorded'];
    kernels.specs = Object.fromEntries(names.map((name) => [name, 'has-package']));
    await load(kernels);
    expect(kernels.startedSpecs).toEqual(['py']);
    kernels.stored.set(
      'modelarts-magics:helper:http://server/user/a/',
      JSON.stringify({ served: 'served' }),
    );
    kernels.record = { ...kernels.record, kernel: 'recorded' };
    kernels.notebookSpec = 'noted';
    kernels.running.clear();
    kernels.startedSpecs.length = 0;
    kernels.specs = Object.fromEntries(names.map((name) => [name, 'without-package']));
    expect(await load(kernels)).toBe('no-backend');
    expect(kernels.startedSpecs).toEqual(['served', 'recorded', 'noted', 'py', 'a', 'b']);
    expect(kernels.running.size).toBe(0);
  });

  const foreign = Object.fromEntries(
    Array.from({ length: 6 }, (_, index) => [`foreign-${index}`, 'without-package'] as const),
  );
  it.each<[string, Record<string, SpecBehavior>, number]>([
    ['six foreign specs', foreign, 10],
    ['a dead interpreter', { py: 'does-not-start' }, 10],
    ['one that dies at once', { py: 'dies' }, 10],
    ['one that never answers', { py: 'never-answers' }, 12],
    ['one that needs 25 s', { py: 'starts-late' }, 30],
  ])('finds the time left within 10 s on the second page despite %s', async (_, specs, firstS) => {
    const kernels = new FakeKernels();
    kernels.specs = { ...specs, [OURS]: 'has-package' };
    expect(await load(kernels)).toBeLessThanOrEqual(firstS);
    expect(await load(kernels)).toBeLessThanOrEqual(1);
    await flushPromises();
    // One kernel remains, whichever it is.
    expect(kernels.running.size).toBe(1);
  });

  it('waits for a kernel that needs 25 s if no other one has the package', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'starts-late', other: 'without-package' };
    const seconds = await load(kernels);
    expect(seconds).toBeGreaterThanOrEqual(25);
    expect(seconds).toBeLessThanOrEqual(26);
    expect([...kernels.running.values()]).toEqual(['py']);
    expect(await load(kernels)).toBeLessThanOrEqual(1);
    expect(kernels.startedSpecs).toEqual(['py', 'other']);
  });

  it('waits for the slow kernel of an earlier page instead of starting it again', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'starts-late' };
    expect(await load(kernels, 5)).toBe('pending');
    expect(await load(kernels)).toBeLessThanOrEqual(25);
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it('gives up a kernel that never answers', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'never-answers' };
    expect(await load(kernels)).toBe('no-answer');
    expect(kernels.timers.monotonic()).toBeLessThanOrEqual(START_LIMIT_MS + PATIENCE_MS + 1_000);
    expect(kernels.running.size).toBe(0);
    // It is not started again soon, and the reason stays the same.
    expect(await load(kernels)).toBe('no-answer');
    expect(kernels.startedSpecs).toEqual(['py']);
  });

  it.each<[SpecBehavior, string]>([
    ['does-not-start', 'no-answer'],
    ['without-package', 'no-backend'],
  ])('reports a silent kernel beside one that %s as %s', async (other, code) => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'never-answers', other };
    expect(await load(kernels)).toBe(code);
  });

  it('remembers specs without the package, per version, and for ten minutes', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'without-package', conda: 'does-not-start' };
    for (let turn = 0; turn < 3; turn++) {
      expect(await load(kernels)).toBe('no-backend');
    }
    expect(kernels.startedSpecs).toEqual(['py', 'conda']);
    kernels.specs = { py: 'has-package', conda: 'without-package' };
    kernels.timers.advance(RETRY_SPEC_AFTER_MS);
    expect(await load(kernels)).toBeLessThanOrEqual(1);
  });

  it.each([{ version: '1.1' }, { installedAtMs: Number.MAX_SAFE_INTEGER }])(
    'notices that the package was installed: %o',
    async (change) => {
      const kernels = new FakeKernels();
      kernels.specs = { py: 'without-package' };
      expect(await load(kernels)).toBe('no-backend');
      kernels.specs = { py: 'has-package' };
      kernels.record = { ...kernels.record, ...change };
      expect(await load(kernels)).toBeLessThanOrEqual(1);
    },
  );

  it('does not take a proxy that drops a request for a missing package', async () => {
    const kernels = new FakeKernels();
    kernels.specs = { py: 'unreachable' };
    expect(await load(kernels)).toBe('unreachable');
    kernels.specs = { py: 'has-package' };
    expect(await load(kernels)).toBeLessThanOrEqual(1);
  });

  it('makes the package importable before it looks for it', async () => {
    const kernels = new FakeKernels();
    kernels.record = { ...kernels.record, kernel: 'py', activate: '/home/中/activate.py' };
    expect(await load(kernels)).toBeLessThanOrEqual(1);
  });

  it('works without storage', async () => {
    const kernels = new FakeKernels();
    kernels.storage.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    kernels.stored.set('modelarts-magics:helper:http://server/user/a/', 'no JSON');
    expect(await load(kernels)).toBeLessThanOrEqual(1);
  });
});

import { describe, expect, it } from 'vitest';
import { LazyBackend } from '../../src/backend/lazy';
import { FakeBackend, flushPromises } from '../fakes';

const GET = { method: 'GET', path: 'instance' } as const;

describe('the lazy backend', () => {
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
    const backend = new FakeBackend('helper-kernel');
    let loads = 0;
    const later = new LazyBackend('helper-kernel', () => {
      loads++;
      return Promise.resolve(backend);
    });
    expect([loads, later.pushesEvents]).toEqual([0, false]);
    await later.call(GET);
    expect(later.pushesEvents).toBe(true);
    await later.call(GET);
    later.dispose();
    await flushPromises();
    expect([loads, backend.isDisposed]).toEqual([1, true]);
  });
});

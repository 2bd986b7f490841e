import { describe, expect, it } from 'vitest';
import { createBrowserLock } from '../../src/browser/lock';

describe('the browser lock', () => {
  it('waits for other tabs if the browser has locks', async () => {
    const asked: string[] = [];
    const locks = {
      request: (name: string, work: () => unknown) => {
        asked.push(name);
        return work();
      },
    } as unknown as LockManager;
    expect(await createBrowserLock(locks)('a', () => Promise.resolve(1))).toBe(1);
    expect(asked).toEqual(['modelarts-magics:a']);
    expect(await createBrowserLock(undefined)('a', () => Promise.resolve(2))).toBe(2);
  });

  it('runs the work if locks are denied, and passes on its error', async () => {
    const denied = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
    const exclusive = createBrowserLock(denied);
    expect(await exclusive('a', () => Promise.resolve(1))).toBe(1);
    let works = 0;
    const fail = (): Promise<never> => Promise.reject(new Error(`try ${++works}`));
    await expect(createBrowserLock(undefined)('a', fail)).rejects.toThrow('try 1');
    const locks = { request: (_: string, work: () => unknown) => work() };
    const one = createBrowserLock(locks as unknown as LockManager);
    await expect(one('a', fail)).rejects.toThrow('try 2');
  });
});

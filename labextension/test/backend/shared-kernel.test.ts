import { describe, expect, it } from 'vitest';
import { KERNEL_IDLE_TIMEOUT_MS, SharedKernel } from '../../src/backend/shared-kernel';
import { FakeTimers } from '../countdown/fakes';
import { FakeKernels } from './fake-kernels';

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

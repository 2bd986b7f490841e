import { describe, expect, it } from 'vitest';
import { createOncePerBrowser } from '../../src/browser/once-per-browser';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { fakeLock, flushPromises, ManagerHarness } from '../fakes';
import { createFakeOncePerBrowser, FakeStorage } from './fakes';

describe('once per browser', () => {
  it('is true once, also after a reload', async () => {
    const storage = new FakeStorage();
    expect(await createFakeOncePerBrowser(storage).claim('a', NOW)).toBe(true);
    expect(await createFakeOncePerBrowser(storage).claim('a', NOW)).toBe(false);
    expect(await createFakeOncePerBrowser(storage).claim('b', NOW)).toBe(true);
  });

  it('is true again for another stop time', async () => {
    const claim = createFakeOncePerBrowser();
    const wobbles = [29_900, 30_100, 29_800, 5 * MINUTE, 29_900];
    const given: boolean[] = [];
    for (const wobble of wobbles) {
      given.push(await claim.claim('a', NOW - (NOW % MINUTE) + wobble));
    }
    expect(given).toEqual([true, false, false, true, false]);
  });

  it('is false while another tab writes its marker', async () => {
    const [storage, turns] = [new FakeStorage(), fakeLock()];
    const [one, other] = [
      createFakeOncePerBrowser(storage, turns),
      createFakeOncePerBrowser(storage, turns),
    ];
    expect(await Promise.all([one.claim('a', NOW), other.claim('a', NOW)])).toEqual([true, false]);
  });

  it('holds the lock until the marker is visible', async () => {
    const harness = new ManagerHarness();
    const turns = fakeLock();
    const setTimeout = (callback: () => void, ms: number): number =>
      harness.timers.setTimeout(callback, ms);
    // The storages of the two tabs are not synchronized yet.
    const claim = createOncePerBrowser({ storage: new FakeStorage(), lock: turns, setTimeout });
    expect(await claim.claim('a', NOW)).toBe(true);
    let later = false;
    void createFakeOncePerBrowser(new FakeStorage(), turns)
      .claim('a', NOW)
      .then(() => (later = true));
    await flushPromises();
    expect(later).toBe(false);
    await harness.advance(500);
    expect(later).toBe(true);
  });

  it('is true twice without storage', async () => {
    const full = new FakeStorage();
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    expect([
      await createFakeOncePerBrowser(full).claim('a', NOW),
      await createFakeOncePerBrowser(full).claim('b', NOW),
    ]).toEqual([true, true]);
  });

  it('removes old markers', async () => {
    const storage = new FakeStorage();
    // This key has the length of the prefix and contains a number.
    storage.setItem('another.packages.setting1', '1');
    await createFakeOncePerBrowser(storage).claim('a', NOW - 48 * HOUR);
    await createFakeOncePerBrowser(storage).claim('a', NOW);
    expect(storage.length).toBe(2);
  });
});

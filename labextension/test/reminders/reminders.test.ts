import { describe, expect, it } from 'vitest';
import { createOncePerBrowser, type OncePerBrowser } from '../../src/browser/once-per-browser';
import { Reminders } from '../../src/reminders/reminders';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { ManagerHarness, fakeLock, flushPromises, instancePayload } from '../fakes';

class FakeStorage implements Storage {
  readonly #items = new Map<string, string>();
  get length() {
    return this.#items.size;
  }
  key(at: number) {
    return [...this.#items.keys()][at] ?? null;
  }
  getItem(name: string) {
    return this.#items.get(name) ?? null;
  }
  setItem(name: string, value: string) {
    this.#items.set(name, value);
  }
  removeItem(name: string) {
    this.#items.delete(name);
  }
  clear() {
    this.#items.clear();
  }
}

function createFakeOncePerBrowser(
  storage = new FakeStorage(),
  exclusive = fakeLock(),
): OncePerBrowser {
  const atOnce = (callback: () => void): void => {
    callback();
  };
  return createOncePerBrowser({ storage, lock: exclusive, setTimeout: atOnce });
}

class ReminderTab {
  readonly shown: number[] = [];
  visible = true;
  openCount = 0;
  readonly reminders: Reminders;

  constructor(
    claim: OncePerBrowser = createFakeOncePerBrowser(),
    readonly harness = new ManagerHarness(),
  ) {
    this.reminders = new Reminders({
      manager: this.harness.manager,
      timers: this.harness.timers,
      wakeups: [[this.harness.eventTarget, 'wake']],
      isVisible: () => this.visible,
      oncePerBrowser: claim,
      show: ({ remainingS }) => {
        this.shown.push(remainingS);
        this.openCount++;
        return () => this.openCount--;
      },
    });
  }
}

describe('a reminder', () => {
  it('comes once at each level, and takes the place of the one before', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    for (let minute = 0; minute < 60; minute++) {
      await tab.harness.advance(MINUTE);
    }
    expect(tab.shown).toEqual([1800, 600, 120]);
    expect(tab.openCount).toBe(0);
  });

  it('comes at once, and only the nearest, when the page is opened late', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
    expect(tab.openCount).toBe(1);
  });

  it('comes also to a page that knew the stop before it was ready to remind', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(9 * MINUTE));
    const tab = new ReminderTab(createFakeOncePerBrowser(), harness);
    await flushPromises();
    expect(tab.shown).toEqual([540]);
  });

  it('comes once also where no tab can write down that it came', async () => {
    const tab = new ReminderTab(() => Promise.resolve(true));
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
  });

  it('comes for each instance, although two stop at one time', async () => {
    const claim = createFakeOncePerBrowser();
    const tabs = [new ReminderTab(claim), new ReminderTab(claim)];
    for (const [at, tab] of tabs.entries()) {
      await tab.harness.refreshWith(
        instancePayload(9 * MINUTE, { instance: { id: `i-${at}`, name: 'train' } }),
      );
      await flushPromises();
    }
    expect(tabs.flatMap((tab) => tab.shown)).toEqual([540, 540]);
  });

  it('does not come again when the same stop is told less exactly', async () => {
    const tab = new ReminderTab();
    for (const wobble of [29_900, 30_100, 29_800, 31_000]) {
      await tab.harness.refreshWith(instancePayload(9 * MINUTE - (NOW % MINUTE) + wobble));
      await flushPromises();
    }
    expect(tab.shown).toHaveLength(1);
  });

  it('goes away when the stop moves, and comes again for the new one', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(10 * MINUTE));
    await flushPromises();
    await tab.harness.refreshWith(instancePayload(2 * HOUR));
    await tab.harness.refreshWith();
    expect(tab.openCount).toBe(0);
    await tab.harness.advance(90 * MINUTE);
    expect(tab.shown).toEqual([600, 1800]);
    await tab.harness.refreshWith(
      instancePayload(115 * MINUTE, { server_now_ms: NOW + 90 * MINUTE }),
    ); // as near as before, and another one
    await flushPromises();
    expect(tab.shown).toEqual([600, 1800, 1500]);
  });

  it.each([
    ['reminders are off', { reminders: { muted: true } }, {}],
    ['auto-stop is off', {}, { enabled: false }],
    ['nobody knows when it stops', {}, { stops_at_ms: null }],
  ])('does not come when %s', async (_, more, state) => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(MINUTE, more, state));
    await flushPromises();
    expect(tab.shown).toEqual([]);
  });

  it('does not come to a tab that missed an extension', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.harness.backend.respond = () => instancePayload(3 * HOUR, { seq: 2, as_of_ms: NOW + 1 });
    await tab.harness.advance(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    expect(tab.harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 3 * HOUR);
  });

  it('comes all the same when the server does not answer', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.harness.backend.respond = () => new Promise(() => undefined);
    await tab.harness.advance(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    await tab.harness.advance(2_000);
    expect(tab.shown).toEqual([1798]);
  });

  it('comes at the levels that are set', async () => {
    const tab = new ReminderTab();
    tab.harness.manager.preferences = { ...tab.harness.manager.preferences, remindMinutes: [5] };
    await tab.harness.refreshWith(instancePayload(10 * MINUTE));
    await tab.harness.advance(5 * MINUTE);
    expect(tab.shown).toEqual([300]);
  });

  it('is shown by one of two tabs', async () => {
    const claim = createFakeOncePerBrowser();
    const tabs = [new ReminderTab(claim), new ReminderTab(claim)];
    await Promise.all(tabs.map((tab) => tab.harness.refreshWith(instancePayload(10 * MINUTE))));
    await flushPromises();
    expect(tabs.flatMap((tab) => tab.shown)).toEqual([600]);
  });

  it('is shown by the tab that somebody sees', async () => {
    const claim = createFakeOncePerBrowser();
    const [hidden, seen] = [new ReminderTab(claim), new ReminderTab(claim)];
    hidden.visible = false;
    await hidden.harness.refreshWith(instancePayload(10 * MINUTE));
    await seen.harness.refreshWith(instancePayload(10 * MINUTE));
    await flushPromises();
    await hidden.harness.advance(5_000);
    expect([hidden.shown, seen.shown]).toEqual([[], [600]]);
  });

  it('is shown by a tab that nobody sees when there is no other', async () => {
    const tab = new ReminderTab();
    tab.visible = false;
    await tab.harness.refreshWith(instancePayload(10 * MINUTE));
    await tab.harness.advance(1_999);
    await tab.harness.refreshWith(); // puts nothing off
    expect(tab.shown).toEqual([]);
    await tab.harness.advance(1);
    expect(tab.shown).toEqual([598]);
  });

  it('is not shown by a tab that is gone', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.reminders.dispose();
    tab.reminders.dispose();
    tab.harness.wakeUp();
    await tab.harness.refreshWith();
    expect(tab.harness.timers.pendingCount).toBe(0);
    await tab.harness.advance(HOUR);
    expect(tab.shown).toEqual([]);
  });

  it('is not claimed by a tab that goes while it waits, nor shown by one that has claimed it', async () => {
    const waits = new ReminderTab();
    waits.visible = false;
    await waits.harness.refreshWith(instancePayload(10 * MINUTE));
    expect(waits.harness.timers.pendingCount).toBe(2);
    waits.reminders.dispose();
    expect(waits.harness.timers.pendingCount).toBe(0);
    let give: (got: boolean) => void = () => undefined;
    const claimed = new ReminderTab(() => new Promise((resolve) => (give = resolve)));
    await claimed.harness.refreshWith(instancePayload(10 * MINUTE));
    claimed.reminders.dispose();
    give(true);
    await flushPromises();
    expect(claimed.shown).toEqual([]);
  });
});

describe('a claim', () => {
  it('is given once, also after a reload', async () => {
    const storage = new FakeStorage();
    expect(await createFakeOncePerBrowser(storage)('a', NOW)).toBe(true);
    expect(await createFakeOncePerBrowser(storage)('a', NOW)).toBe(false);
    expect(await createFakeOncePerBrowser(storage)('b', NOW)).toBe(true);
  });

  it('is given once for a stop that is told less exactly, and again for another one', async () => {
    const claim = createFakeOncePerBrowser();
    const wobbles = [29_900, 30_100, 29_800, 5 * MINUTE, 29_900];
    const given: boolean[] = [];
    for (const wobble of wobbles) {
      given.push(await claim('a', NOW - (NOW % MINUTE) + wobble));
    }
    expect(given).toEqual([true, false, false, true, false]);
  });

  it('is not given to a second while the first writes it down', async () => {
    const [storage, turns] = [new FakeStorage(), fakeLock()];
    const [one, other] = [
      createFakeOncePerBrowser(storage, turns),
      createFakeOncePerBrowser(storage, turns),
    ];
    expect(await Promise.all([one('a', NOW), other('a', NOW)])).toEqual([true, false]);
  });

  it('is held until every tab can have heard of it', async () => {
    const harness = new ManagerHarness();
    const turns = fakeLock();
    const setTimeout = (callback: () => void, ms: number): number =>
      harness.timers.setTimeout(callback, ms);
    // Two tabs whose storages have not heard of each other yet.
    const claim = createOncePerBrowser({ storage: new FakeStorage(), lock: turns, setTimeout });
    expect(await claim('a', NOW)).toBe(true);
    let later = false;
    void createFakeOncePerBrowser(new FakeStorage(), turns)('a', NOW).then(() => (later = true));
    await flushPromises();
    expect(later).toBe(false);
    await harness.advance(500);
    expect(later).toBe(true);
  });

  it('is given twice rather than never where nothing can be kept', async () => {
    const full = new FakeStorage();
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    expect([
      await createFakeOncePerBrowser(full)('a', NOW),
      await createFakeOncePerBrowser(full)('b', NOW),
    ]).toEqual([true, true]);
  });

  it('of long ago is forgotten', async () => {
    const storage = new FakeStorage();
    storage.setItem('somebody.elses.setting1', '1'); // as long as our prefix, and a number
    await createFakeOncePerBrowser(storage)('a', NOW - 48 * HOUR);
    await createFakeOncePerBrowser(storage)('a', NOW);
    expect(storage.length).toBe(2);
  });
});

import { describe, expect, it } from 'vitest';
import { makeClaim, type Claim } from '../../src/browser/once-per-browser';
import { Reminders } from '../../src/reminders/reminders';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { Bench, queue, settle, wire } from '../fakes';

class Memory implements Storage {
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

function claims(storage = new Memory(), exclusive = queue()): Claim {
  const atOnce = (callback: () => void): void => {
    callback();
  };
  return makeClaim({ storage, exclusive, setTimeout: atOnce });
}

class Tab {
  readonly shown: number[] = [];
  visible = true;
  open = 0;
  readonly reminders: Reminders;

  constructor(
    claim: Claim = claims(),
    readonly bench = new Bench(),
  ) {
    this.reminders = new Reminders({
      manager: this.bench.manager,
      timers: this.bench.timers,
      wakeups: [[this.bench.page, 'wake']],
      visible: () => this.visible,
      claim,
      show: ({ remainingS }) => {
        this.shown.push(remainingS);
        this.open++;
        return () => this.open--;
      },
    });
  }
}

describe('a reminder', () => {
  it('comes once at each level, and takes the place of the one before', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(HOUR));
    for (let minute = 0; minute < 60; minute++) {
      await tab.bench.pass(MINUTE);
    }
    expect(tab.shown).toEqual([1800, 600, 120]);
    expect(tab.open).toBe(0);
  });

  it('comes at once, and only the nearest, when the page is opened late', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(9 * MINUTE));
    await settle();
    expect(tab.shown).toEqual([540]);
    await tab.bench.read(wire(9 * MINUTE));
    await settle();
    expect(tab.shown).toEqual([540]);
    expect(tab.open).toBe(1);
  });

  it('comes also to a page that knew the stop before it was ready to remind', async () => {
    const bench = new Bench();
    await bench.read(wire(9 * MINUTE));
    const tab = new Tab(claims(), bench);
    await settle();
    expect(tab.shown).toEqual([540]);
  });

  it('comes once also where no tab can write down that it came', async () => {
    const tab = new Tab(() => Promise.resolve(true));
    await tab.bench.read(wire(9 * MINUTE));
    await settle();
    await tab.bench.read(wire(9 * MINUTE));
    await settle();
    expect(tab.shown).toEqual([540]);
  });

  it('comes for each instance, although two stop at one time', async () => {
    const claim = claims();
    const tabs = [new Tab(claim), new Tab(claim)];
    for (const [at, tab] of tabs.entries()) {
      await tab.bench.read(wire(9 * MINUTE, { instance: { id: `i-${at}`, name: 'train' } }));
      await settle();
    }
    expect(tabs.flatMap((tab) => tab.shown)).toEqual([540, 540]);
  });

  it('does not come again when the same stop is told less exactly', async () => {
    const tab = new Tab();
    for (const wobble of [29_900, 30_100, 29_800, 31_000]) {
      await tab.bench.read(wire(9 * MINUTE - (NOW % MINUTE) + wobble));
      await settle();
    }
    expect(tab.shown).toHaveLength(1);
  });

  it('goes away when the stop moves, and comes again for the new one', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(10 * MINUTE));
    await settle();
    await tab.bench.read(wire(2 * HOUR));
    await tab.bench.read();
    expect(tab.open).toBe(0);
    await tab.bench.pass(90 * MINUTE);
    expect(tab.shown).toEqual([600, 1800]);
    await tab.bench.read(wire(115 * MINUTE, { server_now_ms: NOW + 90 * MINUTE })); // as near as before, and another one
    await settle();
    expect(tab.shown).toEqual([600, 1800, 1500]);
  });

  it.each([
    ['reminders are off', { reminders: { muted: true } }, {}],
    ['auto-stop is off', {}, { enabled: false }],
    ['nobody knows when it stops', {}, { stops_at_ms: null }],
  ])('does not come when %s', async (_, more, state) => {
    const tab = new Tab();
    await tab.bench.read(wire(MINUTE, more, state));
    await settle();
    expect(tab.shown).toEqual([]);
  });

  it('does not come to a tab that missed an extension', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(HOUR));
    tab.bench.backend.answer = () => wire(3 * HOUR, { seq: 2, as_of_ms: NOW + 1 });
    await tab.bench.pass(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    expect(tab.bench.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 3 * HOUR);
  });

  it('comes all the same when the server does not answer', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(HOUR));
    tab.bench.backend.answer = () => new Promise(() => undefined);
    await tab.bench.pass(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    await tab.bench.pass(2_000);
    expect(tab.shown).toEqual([1798]);
  });

  it('comes at the levels that are set', async () => {
    const tab = new Tab();
    tab.bench.manager.preferences = { ...tab.bench.manager.preferences, remindMinutes: [5] };
    await tab.bench.read(wire(10 * MINUTE));
    await tab.bench.pass(5 * MINUTE);
    expect(tab.shown).toEqual([300]);
  });

  it('is shown by one of two tabs', async () => {
    const claim = claims();
    const tabs = [new Tab(claim), new Tab(claim)];
    await Promise.all(tabs.map((tab) => tab.bench.read(wire(10 * MINUTE))));
    await settle();
    expect(tabs.flatMap((tab) => tab.shown)).toEqual([600]);
  });

  it('is shown by the tab that somebody sees', async () => {
    const claim = claims();
    const [hidden, seen] = [new Tab(claim), new Tab(claim)];
    hidden.visible = false;
    await hidden.bench.read(wire(10 * MINUTE));
    await seen.bench.read(wire(10 * MINUTE));
    await settle();
    await hidden.bench.pass(5_000);
    expect([hidden.shown, seen.shown]).toEqual([[], [600]]);
  });

  it('is shown by a tab that nobody sees when there is no other', async () => {
    const tab = new Tab();
    tab.visible = false;
    await tab.bench.read(wire(10 * MINUTE));
    await tab.bench.pass(1_999);
    await tab.bench.read(); // puts nothing off
    expect(tab.shown).toEqual([]);
    await tab.bench.pass(1);
    expect(tab.shown).toEqual([598]);
  });

  it('is not shown by a tab that is gone', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(HOUR));
    tab.reminders.dispose();
    tab.reminders.dispose();
    tab.bench.wake();
    await tab.bench.read();
    expect(tab.bench.timers.pending).toBe(0);
    await tab.bench.pass(HOUR);
    expect(tab.shown).toEqual([]);
  });

  it('is not claimed by a tab that goes while it waits, nor shown by one that has claimed it', async () => {
    const waits = new Tab();
    waits.visible = false;
    await waits.bench.read(wire(10 * MINUTE));
    expect(waits.bench.timers.pending).toBe(2);
    waits.reminders.dispose();
    expect(waits.bench.timers.pending).toBe(0);
    let give: (got: boolean) => void = () => undefined;
    const claimed = new Tab(() => new Promise((resolve) => (give = resolve)));
    await claimed.bench.read(wire(10 * MINUTE));
    claimed.reminders.dispose();
    give(true);
    await settle();
    expect(claimed.shown).toEqual([]);
  });
});

describe('a claim', () => {
  it('is given once, also after a reload', async () => {
    const storage = new Memory();
    expect(await claims(storage)('a', NOW)).toBe(true);
    expect(await claims(storage)('a', NOW)).toBe(false);
    expect(await claims(storage)('b', NOW)).toBe(true);
  });

  it('is given once for a stop that is told less exactly, and again for another one', async () => {
    const claim = claims();
    const wobbles = [29_900, 30_100, 29_800, 5 * MINUTE, 29_900];
    const given: boolean[] = [];
    for (const wobble of wobbles) {
      given.push(await claim('a', NOW - (NOW % MINUTE) + wobble));
    }
    expect(given).toEqual([true, false, false, true, false]);
  });

  it('is not given to a second while the first writes it down', async () => {
    const [storage, turns] = [new Memory(), queue()];
    const [one, other] = [claims(storage, turns), claims(storage, turns)];
    expect(await Promise.all([one('a', NOW), other('a', NOW)])).toEqual([true, false]);
  });

  it('is held until every tab can have heard of it', async () => {
    const bench = new Bench();
    const turns = queue();
    const setTimeout = (callback: () => void, ms: number): number =>
      bench.timers.setTimeout(callback, ms);
    // Two tabs whose storages have not heard of each other yet.
    const claim = makeClaim({ storage: new Memory(), exclusive: turns, setTimeout });
    expect(await claim('a', NOW)).toBe(true);
    let later = false;
    void claims(new Memory(), turns)('a', NOW).then(() => (later = true));
    await settle();
    expect(later).toBe(false);
    await bench.pass(500);
    expect(later).toBe(true);
  });

  it('is given twice rather than never where nothing can be kept', async () => {
    const full = new Memory();
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    expect([await claims(full)('a', NOW), await claims(full)('b', NOW)]).toEqual([true, true]);
  });

  it('of long ago is forgotten', async () => {
    const storage = new Memory();
    storage.setItem('somebody.elses.setting1', '1'); // as long as our prefix, and a number
    await claims(storage)('a', NOW - 48 * HOUR);
    await claims(storage)('a', NOW);
    expect(storage.length).toBe(2);
  });
});

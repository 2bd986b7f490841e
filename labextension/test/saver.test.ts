import { describe, expect, it } from 'vitest';
import type { Claim } from '../src/once';
import { type DirtyDocument, LIMIT_MS, Saver } from '../src/saver';
import { HOUR, MINUTE, NOW } from './countdown/fakes';
import { Bench, settle, wire } from './fakes';

const never = new Promise<never>(() => undefined);

function once(): Claim {
  const taken = new Set<string>();
  return (key, stopsAtMs) => {
    const name = `${stopsAtMs}:${key}`;
    const free = !taken.has(name);
    taken.add(name);
    return Promise.resolve(free);
  };
}

class Tab {
  readonly bench = new Bench();
  readonly saves: string[] = [];
  documents: DirtyDocument[] = [];
  readonly saver: Saver;

  constructor(claim = once()) {
    const { manager, timers, page } = this.bench;
    this.saver = new Saver({
      ...{ manager, timers, claim },
      wakeups: [[page, 'wake']],
      dirty: () => this.documents,
    });
  }

  add(path: string, more: Partial<DirtyDocument> = {}): this {
    this.documents.push({
      path,
      obstacle: () => Promise.resolve(null),
      save: () => {
        this.saves.push(path);
        return Promise.resolve();
      },
      ...more,
    });
    return this;
  }

  get reported(): unknown {
    return this.bench.backend.asked.find(({ path }) => path === 'saved')?.body;
  }
}

describe('before the stop', () => {
  it('every dirty document is saved, once', async () => {
    const tab = new Tab().add('a.ipynb').add('b.py');
    await tab.bench.read(wire(HOUR));
    await tab.bench.pass(57 * MINUTE);
    expect(tab.saves).toEqual([]);
    await tab.bench.pass(MINUTE);
    expect(tab.saves).toEqual(['a.ipynb', 'b.py']);
    expect(tab.reported).toEqual({
      ...{ stops_at_ms: NOW + HOUR, saved: ['a.ipynb', 'b.py'], not_saved: [] },
    });
    await tab.bench.pass(MINUTE);
    expect(tab.saves).toHaveLength(2);
  });

  it('is now, for a page that is opened late or was asleep', async () => {
    const tab = new Tab().add('a');
    await tab.bench.read(wire(30_000));
    await settle();
    expect(tab.saves).toEqual(['a']);
    const asleep = new Tab().add('b');
    await asleep.bench.read(wire(HOUR));
    asleep.bench.timers.sleep(59 * MINUTE);
    asleep.bench.wake();
    await settle();
    expect(asleep.saves).toEqual(['b']);
  });

  it('none that cannot be saved hinders the others', async () => {
    const tab = new Tab()
      .add('slow', { save: () => never })
      .add('disk', { obstacle: () => Promise.resolve('changed-on-disk') })
      .add('bad', { save: () => Promise.reject(new Error('disk full')) })
      .add('good');
    await tab.bench.read(wire(MINUTE));
    await settle();
    await tab.bench.pass(LIMIT_MS);
    expect(tab.saves).toEqual(['good']);
    expect(tab.reported).toMatchObject({
      saved: ['good'],
      not_saved: [
        { path: 'slow', why: 'timed-out' },
        { path: 'disk', why: 'changed-on-disk' },
        { path: 'bad', why: 'failed' },
      ],
    });
  });

  it('a document that was too slow to look at is not saved later', async () => {
    let look: (value: null) => void = () => undefined;
    const tab = new Tab();
    tab.add('late', { obstacle: () => new Promise((resolve) => (look = resolve)) });
    await tab.bench.read(wire(MINUTE));
    await settle();
    await tab.bench.pass(LIMIT_MS);
    look(null);
    await settle();
    expect(tab.saves).toEqual([]);
  });

  it('one of two tabs saves what both have', async () => {
    const claim = once();
    const tabs = [new Tab(claim).add('a'), new Tab(claim).add('a').add('b')];
    await Promise.all(tabs.map((tab) => tab.bench.read(wire(MINUTE))));
    await settle();
    expect(tabs.flatMap((tab) => tab.saves).sort()).toEqual(['a', 'b']);
  });

  it('it is done anew for a stop that was moved', async () => {
    const tab = new Tab().add('a');
    await tab.bench.read(wire(MINUTE));
    await settle();
    await tab.bench.read(wire(HOUR));
    await tab.bench.pass(58 * MINUTE);
    expect(tab.saves).toEqual(['a', 'a']);
  });

  it.each([
    ['it is not wanted', { saveBeforeStop: false }, {}],
    ['nothing stops', {}, { enabled: false }],
  ])('nothing is saved when %s', async (_, preferences, state) => {
    const tab = new Tab().add('a');
    tab.bench.manager.preferences = { ...tab.bench.manager.preferences, ...preferences };
    await tab.bench.read(wire(MINUTE, {}, state));
    await settle();
    expect(tab.saves).toEqual([]);
  });

  it('nothing is reported when nothing was dirty', async () => {
    const tab = new Tab();
    await tab.bench.read(wire(MINUTE));
    await settle();
    expect(tab.reported).toBeUndefined();
  });
});

it('saves all when a person wants it', async () => {
  const tab = new Tab().add('a').add('b', { obstacle: () => Promise.resolve('never-named') });
  expect(await tab.saver.saveAll()).toEqual({
    ...{ saved: ['a'], notSaved: [{ path: 'b', why: 'never-named' }] },
  });
});

it('stops for good, twice if need be', async () => {
  const tab = new Tab().add('a');
  await tab.bench.read(wire(HOUR));
  tab.saver.dispose();
  tab.saver.dispose();
  await tab.bench.pass(HOUR);
  tab.bench.wake();
  expect(tab.saver.isDisposed).toBe(true);
  expect(tab.saves).toEqual([]);
});

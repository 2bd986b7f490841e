import { describe, expect, it } from 'vitest';
import { makeExclusive } from '../../src/browser/lock';
import { type DirtyDocument, LAST_MS, LIMIT_MS, Saver } from '../../src/autosave/autosave';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { Bench, queue, settle, wire } from '../fakes';

const never = new Promise<never>(() => undefined);

class Tab {
  readonly saves: string[] = [];
  documents: DirtyDocument[] = [];
  readonly saver: Saver;

  constructor(
    exclusive = queue(),
    readonly bench = new Bench(),
  ) {
    const { manager, timers, page } = this.bench;
    this.saver = new Saver({
      ...{ manager, timers, exclusive },
      wakeups: [[page, 'wake']],
      dirty: () => [...this.documents],
    });
  }

  add(path: string, more: Partial<DirtyDocument> = {}): this {
    const document: DirtyDocument = {
      ...{ key: {}, path },
      obstacle: () => Promise.resolve(null),
      save: () => {
        this.saves.push(path);
        this.documents = this.documents.filter((each) => each !== document);
        return Promise.resolve();
      },
      ...more,
    };
    this.documents.push(document);
    return this;
  }

  /** What was last told. */
  get reported(): unknown {
    return this.bench.backend.asked.filter(({ path }) => path === 'saved').at(-1)?.body;
  }
}

describe('before the stop', () => {
  it('every dirty document is saved', async () => {
    const tab = new Tab().add('a.ipynb').add('b.py');
    await tab.bench.read(wire(HOUR));
    await tab.bench.pass(57 * MINUTE);
    expect(tab.saves).toEqual([]);
    await tab.bench.pass(MINUTE);
    expect(tab.saves).toEqual(['a.ipynb', 'b.py']);
    expect(tab.reported).toEqual({
      ...{ stops_at_ms: NOW + HOUR, saved: ['a.ipynb', 'b.py'], not_saved: [] },
      tab: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    await tab.bench.pass(MINUTE);
    expect(tab.saves).toHaveLength(2);
  });

  it('what is changed after that is saved in the last moment, and told with the rest', async () => {
    const tab = new Tab().add('a').add('slow', { save: () => never });
    await tab.bench.read(wire(HOUR));
    await tab.bench.pass(58 * MINUTE);
    await tab.bench.pass(LIMIT_MS);
    tab.documents = [];
    tab.add('a').add('late');
    await tab.bench.pass(2 * MINUTE - LIMIT_MS - LAST_MS);
    expect(tab.saves).toEqual(['a', 'a', 'late']);
    expect(tab.reported).toMatchObject({
      saved: ['a', 'late'],
      not_saved: [{ path: 'slow', why: 'timed-out' }],
    });
    await tab.bench.pass(LAST_MS);
    expect(tab.saves).toHaveLength(3);
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
    const late = new Tab(queue(), new Bench());
    await late.bench.read(wire(HOUR));
    const another = new Tab(queue(), late.bench);
    expect(late.bench.timers.pending).toBe(2);
    another.saver.dispose();
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

  it('of two copies of one file the later is told as not saved, in two tabs or in one', async () => {
    let disk = 'before';
    const locks = queue();
    const copy = (tab: Tab, text: string): Tab =>
      tab.add('a', {
        obstacle: () => Promise.resolve(disk === 'before' ? null : 'changed-on-disk'),
        save: async () => {
          await settle();
          disk = text;
        },
      });
    const tabs = [copy(new Tab(locks), 'one'), copy(copy(new Tab(locks), 'two'), 'three')];
    await Promise.all(tabs.map((tab) => tab.bench.read(wire(MINUTE))));
    for (let turn = 0; turn < 4; turn++) {
      await settle();
    }
    const left = [{ path: 'a', why: 'changed-on-disk' }];
    expect(disk).toBe('one');
    expect(tabs.map((tab) => tab.reported)).toMatchObject([
      { saved: ['a'], not_saved: [] },
      { saved: [], not_saved: [...left, ...left] },
    ]);
  });

  it('it is done anew for a stop that was moved', async () => {
    const tab = new Tab().add('a').add('b');
    await tab.bench.read(wire(MINUTE));
    await settle();
    tab.add('a');
    await tab.bench.read(wire(HOUR));
    await tab.bench.pass(58 * MINUTE);
    expect(tab.saves).toEqual(['a', 'b', 'a']);
    expect(tab.reported).toMatchObject({ saved: ['a'] });
  });

  it('it is not done again for the same stop, told less exactly', async () => {
    const tab = new Tab().add('a');
    await tab.bench.read(wire(MINUTE));
    await settle();
    tab.add('a');
    await tab.bench.read(wire(MINUTE + 900));
    await settle();
    expect(tab.saves).toEqual(['a']);
  });

  it('nobody waits for another tab that saves something else', async () => {
    const locks = queue();
    const tabs = [new Tab(locks).add('slow', { save: () => never }), new Tab(locks).add('b')];
    await Promise.all(tabs.map((tab) => tab.bench.read(wire(MINUTE))));
    await settle();
    expect(tabs[1]?.saves).toEqual(['b']);
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
  await tab.bench.read(wire(HOUR));
  expect(await tab.saver.saveAll()).toEqual({
    ...{ saved: ['a'], notSaved: [{ path: 'b', why: 'never-named' }] },
  });
  tab.documents = [];
  tab.add('c');
  await tab.bench.pass(58 * MINUTE);
  expect(tab.reported).toMatchObject({ saved: ['c'], not_saved: [] }); // the stop's own
});

it('stops for good, twice if need be', async () => {
  const tab = new Tab().add('a');
  await tab.bench.read(wire(HOUR));
  tab.saver.dispose();
  tab.saver.dispose();
  tab.bench.wake();
  await tab.bench.read();
  expect(tab.bench.timers.pending).toBe(0);
  await tab.bench.pass(HOUR);
  expect(tab.saver.isDisposed).toBe(true);
  expect(tab.saves).toEqual([]);
});

describe('a turn', () => {
  it('is waited for where there are locks, and taken where there are none', async () => {
    const asked: string[] = [];
    const locks = {
      request: (name: string, work: () => unknown) => {
        asked.push(name);
        return work();
      },
    } as unknown as LockManager;
    expect(await makeExclusive(locks)('a', () => Promise.resolve(1))).toBe(1);
    expect(asked).toEqual(['modelarts-magics:a']);
    expect(await makeExclusive(undefined)('a', () => Promise.resolve(2))).toBe(2);
  });

  it('is taken where locks are denied, and fails as the work does', async () => {
    const denied = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
    const exclusive = makeExclusive(denied);
    expect(await exclusive('a', () => Promise.resolve(1))).toBe(1);
    let works = 0;
    const fail = (): Promise<never> => Promise.reject(new Error(`try ${++works}`));
    await expect(makeExclusive(undefined)('a', fail)).rejects.toThrow('try 1');
    const locks = { request: (_: string, work: () => unknown) => work() };
    const one = makeExclusive(locks as unknown as LockManager);
    await expect(one('a', fail)).rejects.toThrow('try 2');
  });
});

import { describe, expect, it } from 'vitest';
import {
  AutoSaver,
  type DirtyDocument,
  FINAL_SAVE_MS,
  SAVE_TIMEOUT_MS,
} from '../../src/autosave/autosave';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { fakeLock, flushPromises, instancePayload, ManagerHarness } from '../fakes';

const never = new Promise<never>(() => undefined);

class SaverTab {
  readonly saves: string[] = [];
  documents: DirtyDocument[] = [];
  readonly saver: AutoSaver;

  constructor(
    exclusive = fakeLock(),
    readonly harness = new ManagerHarness(),
  ) {
    const { manager, timers } = this.harness;
    this.saver = new AutoSaver({
      ...{ manager, timers, lock: exclusive },
      dirtyDocuments: () => [...this.documents],
    });
  }

  addDocument(path: string, more: Partial<DirtyDocument> = {}): this {
    const document: DirtyDocument = {
      ...{ key: {}, path },
      findBlocker: () => Promise.resolve(null),
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

  /** The last report. */
  get lastReport(): unknown {
    return this.harness.backend.requests.filter(({ path }) => path === 'saved').at(-1)?.body;
  }
}

describe('before the stop', () => {
  it('saves every modified document', async () => {
    const tab = new SaverTab().addDocument('a.ipynb').addDocument('b.py');
    await tab.harness.refreshWith(instancePayload(HOUR));
    await tab.harness.advance(57 * MINUTE);
    expect(tab.saves).toEqual([]);
    await tab.harness.advance(MINUTE);
    expect(tab.saves).toEqual(['a.ipynb', 'b.py']);
    expect(tab.lastReport).toEqual({
      ...{ stops_at_ms: NOW + HOUR, saved: ['a.ipynb', 'b.py'], not_saved: [] },
      tab: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    await tab.harness.advance(MINUTE);
    expect(tab.saves).toHaveLength(2);
  });

  it('saves later modifications shortly before the stop', async () => {
    const tab = new SaverTab().addDocument('a').addDocument('slow', { save: () => never });
    await tab.harness.refreshWith(instancePayload(HOUR));
    await tab.harness.advance(58 * MINUTE);
    await tab.harness.advance(SAVE_TIMEOUT_MS);
    tab.addDocument('a').addDocument('late');
    await tab.harness.advance(2 * MINUTE - SAVE_TIMEOUT_MS - FINAL_SAVE_MS);
    expect(tab.saves).toEqual(['a', 'a', 'late']);
    expect(tab.lastReport).toMatchObject({
      saved: ['a', 'late'],
      not_saved: [{ path: 'slow', reason: 'timed-out' }],
    });
    await tab.harness.advance(FINAL_SAVE_MS);
    expect(tab.saves).toHaveLength(3);
  });

  it('saves at once if the page was opened late', async () => {
    const tab = new SaverTab().addDocument('a');
    await tab.harness.refreshWith(instancePayload(30_000));
    await flushPromises();
    expect(tab.saves).toEqual(['a']);
    const asleep = new SaverTab().addDocument('b');
    await asleep.harness.refreshWith(instancePayload(HOUR));
    asleep.harness.timers.sleep(59 * MINUTE);
    asleep.harness.wakeUp();
    await flushPromises();
    expect(asleep.saves).toEqual(['b']);
    const late = new SaverTab(fakeLock(), new ManagerHarness());
    await late.harness.refreshWith(instancePayload(HOUR));
    const another = new SaverTab(fakeLock(), late.harness);
    expect(late.harness.pendingCount).toBe(2);
    another.saver.dispose();
  });

  it('saves the others if a document cannot be saved', async () => {
    const tab = new SaverTab()
      .addDocument('slow', { save: () => never })
      .addDocument('disk', { findBlocker: () => Promise.resolve('changed-on-disk') })
      .addDocument('error', { save: () => Promise.reject(new Error('disk full')) })
      .addDocument('success');
    await tab.harness.refreshWith(instancePayload(MINUTE));
    await flushPromises();
    await tab.harness.advance(SAVE_TIMEOUT_MS);
    expect(tab.saves).toEqual(['success']);
    expect(tab.lastReport).toMatchObject({
      saved: ['success'],
      not_saved: [
        { path: 'slow', reason: 'timed-out' },
        { path: 'disk', reason: 'changed-on-disk' },
        { path: 'error', reason: 'failed' },
      ],
    });
  });

  it.each([
    ['an error', () => Promise.reject(new Error('500'))],
    ['no response', () => never],
  ])('tries each document again every 15 seconds after %s', async (_, fail) => {
    const tab = new SaverTab().addDocument('other', { save: () => never });
    const attempts: number[] = [];
    let isBroken = true;
    tab.addDocument('a', {
      save: () => {
        attempts.push(tab.harness.timers.monotonic());
        return isBroken ? fail() : Promise.resolve();
      },
    });
    await tab.harness.refreshWith(instancePayload(2 * MINUTE));
    for (let second = 0; second < 70; second++) {
      await tab.harness.advance(1_000);
    }
    const delays = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
    expect(delays).toEqual([15_000, 15_000, 15_000, 15_000]);
    isBroken = false;
    await tab.harness.advance(5_000);
    await flushPromises();
    expect(tab.lastReport).toMatchObject({ saved: ['a'] });
  });

  it('tries again until the stop', async () => {
    const tab = new SaverTab();
    let attempts = 0;
    tab.addDocument('a', {
      save: () => {
        attempts++;
        return Promise.reject(new Error('500'));
      },
    });
    await tab.harness.refreshWith(instancePayload(2 * MINUTE));
    for (let second = 0; second < 240; second++) {
      await tab.harness.advance(1_000);
    }
    // Eight are 15 seconds apart, one is the last pass.
    expect(attempts).toBe(9);
  });

  it('tries a blocked document again', async () => {
    let blocker: 'changed-on-disk' | null = 'changed-on-disk';
    const tab = new SaverTab().addDocument('a', { findBlocker: () => Promise.resolve(blocker) });
    await tab.harness.refreshWith(instancePayload(2 * MINUTE));
    await flushPromises();
    expect(tab.lastReport).toMatchObject({ not_saved: [{ path: 'a' }] });
    blocker = null;
    await tab.harness.advance(15_000);
    expect(tab.saves).toEqual(['a']);
    expect(tab.lastReport).toMatchObject({ saved: ['a'], not_saved: [] });
  });

  it('no longer reports a document that was saved or closed meanwhile', async () => {
    const tab = new SaverTab().addDocument('a', { save: () => Promise.reject(new Error('500')) });
    await tab.harness.refreshWith(instancePayload(2 * MINUTE));
    await flushPromises();
    expect(tab.lastReport).toMatchObject({ not_saved: [{ path: 'a', reason: 'failed' }] });
    tab.documents = [];
    await tab.harness.advance(15_000);
    expect(tab.lastReport).toMatchObject({ saved: [], not_saved: [] });
  });

  it('does not save a document after its time limit', async () => {
    let look: (value: null) => void = () => undefined;
    const tab = new SaverTab();
    tab.addDocument('late', { findBlocker: () => new Promise((resolve) => (look = resolve)) });
    await tab.harness.refreshWith(instancePayload(MINUTE));
    await flushPromises();
    await tab.harness.advance(SAVE_TIMEOUT_MS);
    look(null);
    await flushPromises();
    expect(tab.saves).toEqual([]);
  });

  it('reports the second copy of a file as not saved', async () => {
    let disk = 'before';
    const locks = fakeLock();
    const copy = (tab: SaverTab, text: string): SaverTab =>
      tab.addDocument('a', {
        findBlocker: () => Promise.resolve(disk === 'before' ? null : 'changed-on-disk'),
        save: async () => {
          await flushPromises();
          disk = text;
        },
      });
    const tabs = [
      copy(new SaverTab(locks), 'one'),
      copy(copy(new SaverTab(locks), 'two'), 'three'),
    ];
    await Promise.all(tabs.map((tab) => tab.harness.refreshWith(instancePayload(MINUTE))));
    for (let turn = 0; turn < 4; turn++) {
      await flushPromises();
    }
    const left = [{ path: 'a', reason: 'changed-on-disk' }];
    expect(disk).toBe('one');
    expect(tabs.map((tab) => tab.lastReport)).toMatchObject([
      { saved: ['a'], not_saved: [] },
      { saved: [], not_saved: [...left, ...left] },
    ]);
  });

  it('saves again for another stop time', async () => {
    const tab = new SaverTab().addDocument('a').addDocument('b');
    await tab.harness.refreshWith(instancePayload(MINUTE));
    await flushPromises();
    tab.addDocument('a');
    await tab.harness.refreshWith(instancePayload(HOUR));
    await tab.harness.advance(58 * MINUTE);
    expect(tab.saves).toEqual(['a', 'b', 'a']);
    expect(tab.lastReport).toMatchObject({ saved: ['a'] });
  });

  it('does not save again for the same stop time', async () => {
    const tab = new SaverTab().addDocument('a');
    await tab.harness.refreshWith(instancePayload(MINUTE));
    await flushPromises();
    tab.addDocument('a');
    await tab.harness.refreshWith(instancePayload(MINUTE + 900));
    await flushPromises();
    expect(tab.saves).toEqual(['a']);
  });

  it('does not wait for a tab that saves other files', async () => {
    const locks = fakeLock();
    const tabs = [
      new SaverTab(locks).addDocument('slow', { save: () => never }),
      new SaverTab(locks).addDocument('b'),
    ];
    await Promise.all(tabs.map((tab) => tab.harness.refreshWith(instancePayload(MINUTE))));
    await flushPromises();
    expect(tabs[1]?.saves).toEqual(['b']);
  });

  it.each([
    ['it is not wanted', { saveBeforeStop: false }, {}],
    ['nothing stops', {}, { enabled: false }],
  ])('saves nothing when %s', async (_, preferences, state) => {
    const tab = new SaverTab().addDocument('a');
    tab.harness.manager.preferences = { ...tab.harness.manager.preferences, ...preferences };
    await tab.harness.refreshWith(instancePayload(MINUTE, {}, state));
    await flushPromises();
    expect(tab.saves).toEqual([]);
  });

  it('reports nothing without modified documents', async () => {
    const tab = new SaverTab();
    await tab.harness.refreshWith(instancePayload(MINUTE));
    await flushPromises();
    expect(tab.lastReport).toBeUndefined();
  });
});

it('saves all modified documents on request', async () => {
  const tab = new SaverTab()
    .addDocument('a')
    .addDocument('b', { findBlocker: () => Promise.resolve('no-file') });
  await tab.harness.refreshWith(instancePayload(HOUR));
  expect(await tab.saver.saveAll()).toEqual({
    ...{ saved: ['a'], notSaved: [{ path: 'b', reason: 'no-file' }] },
  });
  tab.documents = [];
  tab.addDocument('c');
  await tab.harness.advance(58 * MINUTE);
  // This report is the one for the stop.
  expect(tab.lastReport).toMatchObject({ saved: ['c'], not_saved: [] });
});

it('can be disposed twice', async () => {
  const tab = new SaverTab().addDocument('a');
  await tab.harness.refreshWith(instancePayload(HOUR));
  tab.saver.dispose();
  tab.saver.dispose();
  tab.harness.wakeUp();
  await tab.harness.refreshWith();
  expect(tab.harness.pendingCount).toBe(0);
  await tab.harness.advance(HOUR);
  expect(tab.saver.isDisposed).toBe(true);
  expect(tab.saves).toEqual([]);
});

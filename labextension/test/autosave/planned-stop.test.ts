import { expect, it } from 'vitest';
import { AutoSaver, type SaveBlocker } from '../../src/autosave/autosave';
import { LazyAutoSaver } from '../../src/autosave/lazy-autosave';
import { DEFAULT_PREFERENCES } from '../../src/tokens';
import { HOUR, NOW } from '../countdown/fakes';
import { changeResponse, fakeLock, flushPromises, instancePayload, ManagerHarness } from '../fakes';

const payload = (stop: object | null, seq = 1) =>
  instancePayload(HOUR, { seq, keep: { guards: [], covered_until_ms: null, stop, problem: '' } });
const stop = (overrides: object = {}) => ({
  ...{ name: 'train', stops_at_ms: NOW + 60_000, waiting_for: [], id: '7', is_saving: false },
  ...overrides,
});

/** Create the autosave of a page with one modified document. */
function createSaver(blocker: SaveBlocker | null = null) {
  const harness = new ManagerHarness();
  const { manager, timers } = harness;
  const saved: string[] = [];
  const save = (): Promise<void> => {
    saved.push(`saved after ${String(harness.backend.requests.length)} requests`);
    return Promise.resolve();
  };
  const findBlocker = () => Promise.resolve(blocker);
  const dirtyDocuments = () => [{ key: harness, path: 'a.ipynb', findBlocker, save }];
  const saver = new AutoSaver({ manager, timers, lock: fakeLock(), dirtyDocuments });
  const lazy = new LazyAutoSaver({ manager, timers, load: () => Promise.resolve(saver) });
  const show = async (current: Record<string, unknown>): Promise<void> => {
    harness.backend.respond = ({ method }) =>
      method === 'GET' ? current : changeResponse(current);
    await manager.refresh();
    await flushPromises();
  };
  const bodies = (wanted: string) =>
    harness.backend.requests.flatMap(({ path, body }) =>
      path === wanted ? [body as Record<string, unknown>] : [],
    );
  const reports = () => bodies('keep');
  return { bodies, lazy, manager, reports, saved, show };
}

it('registers a tab for a planned stop once, and saves when it is asked to', async () => {
  const { reports, saved, show } = createSaver();
  await show(payload(stop()));
  await show(payload(stop(), 2));
  expect(reports()).toMatchObject([{ action: 'report-page', id: '7', saved: false }]);
  expect(saved).toEqual([]);
  await show(payload(stop({ is_saving: true }), 3));
  expect(saved).toHaveLength(1);
  const [first, second] = reports();
  expect(second).toEqual({ ...first, saved: true });
  expect(first?.tab).toMatch(/.{8}/);
});

it('shows what it could not save, and reports it for the next start', async () => {
  const { bodies, lazy, manager, reports, show } = createSaver('changed-on-disk');
  await show(payload(stop({ is_saving: true })));
  const document = { path: 'a.ipynb', reason: 'changed-on-disk' };
  expect(manager.savedBeforeStop).toEqual({ saved: [], notSaved: [document] });
  const report = { stops_at_ms: NOW + 60_000, saved: [], not_saved: [document] };
  expect(bodies('saved')).toMatchObject([report]);
  // The stop does not wait for what cannot be saved.
  expect(reports().at(-1)).toMatchObject({ saved: true });
  lazy.dispose();
});

it('registers again after other work has postponed the stop', async () => {
  const { reports, show } = createSaver();
  await show(payload(stop({ is_saving: true })));
  await show(payload(stop({ stops_at_ms: null, waiting_for: ['cell 3'] }), 2));
  await show(payload(stop({ is_saving: true }), 3));
  expect(reports().map((each) => each.saved)).toEqual([true, false, true]);
});

it('reports nothing where saving before the stop is off', async () => {
  const { manager, reports, saved, show } = createSaver();
  manager.preferences = { ...DEFAULT_PREFERENCES, saveBeforeStop: false };
  await show(payload(stop({ is_saving: true })));
  expect([reports(), saved]).toEqual([[], []]);
});

it('does nothing without a planned stop', async () => {
  const { reports, show } = createSaver();
  await show(payload(null));
  expect(reports()).toEqual([]);
});

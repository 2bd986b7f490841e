import { expect, it } from 'vitest';
import { AutoSaver } from '../../src/autosave/autosave';
import { LazyAutoSaver } from '../../src/autosave/lazy-autosave';
import { HOUR, MINUTE } from '../countdown/fakes';
import { fakeLock, flushPromises, instancePayload, ManagerHarness } from '../fakes';

function createLazyAutoSaver() {
  const harness = new ManagerHarness();
  const { manager, timers } = harness;
  const loads: AutoSaver[] = [];
  const server = { isReachable: true };
  const load = (): Promise<AutoSaver> => {
    const saver = new AutoSaver({ manager, timers, lock: fakeLock(), dirtyDocuments: () => [] });
    loads.push(saver);
    return server.isReachable ? Promise.resolve(saver) : Promise.reject(new Error('unreachable'));
  };
  return { harness, loads, server, lazy: new LazyAutoSaver({ manager, timers, load }) };
}

it('loads the autosave five minutes before it saves', async () => {
  const { harness, loads } = createLazyAutoSaver();
  await harness.refreshWith(instancePayload(HOUR));
  await harness.advance(53 * MINUTE - 1);
  expect(loads).toHaveLength(0);
  await harness.advance(1);
  await harness.refreshWith();
  expect(loads).toHaveLength(1);
});

it('loads the autosave when a page is opened or wakes near the stop', async () => {
  const { harness, loads } = createLazyAutoSaver();
  await harness.refreshWith(instancePayload(MINUTE));
  expect(loads).toHaveLength(1);
});

it('tries again if the code cannot be loaded', async () => {
  const { harness, loads, server } = createLazyAutoSaver();
  server.isReachable = false;
  await harness.refreshWith(instancePayload(MINUTE));
  await flushPromises();
  server.isReachable = true;
  await harness.advance(10_000);
  await harness.advance(10_000);
  expect(loads).toHaveLength(2);
});

it('saves on request', async () => {
  const { loads, server, lazy } = createLazyAutoSaver();
  server.isReachable = false;
  await expect(lazy.saveAll()).rejects.toThrow('unreachable');
  server.isReachable = true;
  expect(await lazy.saveAll()).toEqual({ saved: [], notSaved: [] });
  expect(loads).toHaveLength(2);
});

it('can be disposed twice', async () => {
  const { harness, loads, lazy } = createLazyAutoSaver();
  await harness.refreshWith(instancePayload(MINUTE));
  lazy.dispose();
  lazy.dispose();
  await flushPromises();
  expect([lazy.isDisposed, loads[0]?.isDisposed]).toEqual([true, true]);
  expect(harness.pendingCount).toBe(0);
});

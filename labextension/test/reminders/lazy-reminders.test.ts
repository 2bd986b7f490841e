import { expect, it } from 'vitest';
import { startReminders } from '../../src/reminders/lazy-reminders';
import { HOUR, MINUTE } from '../countdown/fakes';
import { flushPromises, instancePayload, ManagerHarness } from '../fakes';

it('loads the reminders five minutes before the first one, again after a failure, and once', async () => {
  const harness = new ManagerHarness();
  const { manager, timers } = harness;
  let loads = 0;
  const load = (): Promise<void> =>
    ++loads === 1 ? Promise.reject(new Error('Loading chunk 1 failed.')) : Promise.resolve();
  startReminders({ manager, timers, load });
  await harness.refreshWith(instancePayload(HOUR));
  await harness.advance(24 * MINUTE);
  expect(loads).toBe(0);
  await harness.advance(MINUTE + 2_000);
  expect(loads).toBe(1);
  await flushPromises();
  await harness.advance(10_000);
  expect(loads).toBe(2);
  await harness.advance(10 * MINUTE);
  expect(loads).toBe(2);
});

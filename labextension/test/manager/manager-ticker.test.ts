import { expect, it } from 'vitest';
import { ManagerTicker } from '../../src/manager/manager-ticker';
import { instancePayload, ManagerHarness } from '../fakes';

it('evaluates at each change and after each delay, until it is disposed', async () => {
  const harness = new ManagerHarness();
  const delays = [1_000, null];
  let count = 0;
  const ticker = new ManagerTicker(harness, () => delays[count++] ?? null);
  expect(count).toBe(0);
  ticker.update();
  await harness.advance(1_000);
  expect(count).toBe(2);
  await harness.refreshWith(instancePayload());
  expect(count).toBe(3);
  ticker.dispose();
  ticker.dispose();
  expect(ticker.isDisposed).toBe(true);
  ticker.update();
  await harness.refreshWith(instancePayload());
  expect(count).toBe(3);
});

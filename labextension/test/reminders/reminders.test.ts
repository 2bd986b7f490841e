import { describe, expect, it } from 'vitest';
import { type OncePerBrowser } from '../../src/browser/once-per-browser';
import { Reminders } from '../../src/reminders/reminders';
import { createFakeOncePerBrowser } from '../browser/fakes';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { flushPromises, instancePayload, ManagerHarness } from '../fakes';

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
  it('is shown once per level', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    for (let minute = 0; minute < 60; minute++) {
      await tab.harness.advance(MINUTE);
    }
    expect(tab.shown).toEqual([1800, 600, 120]);
    expect(tab.openCount).toBe(0);
  });

  it('is shown at once if the page was opened late', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
    expect(tab.openCount).toBe(1);
  });

  it('is shown if the stop time was known before', async () => {
    const harness = new ManagerHarness();
    await harness.refreshWith(instancePayload(9 * MINUTE));
    const tab = new ReminderTab(createFakeOncePerBrowser(), harness);
    await flushPromises();
    expect(tab.shown).toEqual([540]);
  });

  it('is shown once without storage', async () => {
    const tab = new ReminderTab({ claim: () => Promise.resolve(true), forget: () => undefined });
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    await tab.harness.refreshWith(instancePayload(9 * MINUTE));
    await flushPromises();
    expect(tab.shown).toEqual([540]);
  });

  it('is shown for each instance', async () => {
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

  it('is not shown again for the same stop time', async () => {
    const tab = new ReminderTab();
    for (const wobble of [29_900, 30_100, 29_800, 31_000]) {
      await tab.harness.refreshWith(instancePayload(9 * MINUTE - (NOW % MINUTE) + wobble));
      await flushPromises();
    }
    expect(tab.shown).toHaveLength(1);
  });

  it('is replaced when the stop time changes', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(10 * MINUTE));
    await flushPromises();
    await tab.harness.refreshWith(instancePayload(2 * HOUR));
    await tab.harness.refreshWith();
    expect(tab.openCount).toBe(0);
    await tab.harness.advance(90 * MINUTE);
    expect(tab.shown).toEqual([600, 1800]);
    // The time left is the same, but the stop time differs.
    await tab.harness.refreshWith(
      instancePayload(115 * MINUTE, { server_now_ms: NOW + 90 * MINUTE }),
    );
    await flushPromises();
    expect(tab.shown).toEqual([600, 1800, 1500]);
  });

  it.each([
    ['reminders are off', { reminders: { muted: true } }, {}],
    ['auto-stop is off', {}, { enabled: false }],
    ['the stop time is unknown', {}, { stops_at_ms: null }],
  ])('is not shown when %s', async (_, more, state) => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(MINUTE, more, state));
    await flushPromises();
    expect(tab.shown).toEqual([]);
  });

  it('is not shown if the run was extended', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.harness.backend.respond = () => instancePayload(3 * HOUR, { seq: 2, as_of_ms: NOW + 1 });
    await tab.harness.advance(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    expect(tab.harness.manager.payload?.snapshot?.state.stops_at_ms).toBe(NOW + 3 * HOUR);
  });

  it('is shown if the server does not respond', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.harness.backend.respond = () => new Promise(() => undefined);
    await tab.harness.advance(30 * MINUTE);
    expect(tab.shown).toEqual([]);
    await tab.harness.advance(2_000);
    expect(tab.shown).toEqual([1798]);
  });

  it('is shown at the levels of the settings', async () => {
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

  it('is shown by the visible tab', async () => {
    const claim = createFakeOncePerBrowser();
    const [hidden, seen] = [new ReminderTab(claim), new ReminderTab(claim)];
    hidden.visible = false;
    await hidden.harness.refreshWith(instancePayload(10 * MINUTE));
    await seen.harness.refreshWith(instancePayload(10 * MINUTE));
    await flushPromises();
    await hidden.harness.advance(5_000);
    expect([hidden.shown, seen.shown]).toEqual([[], [600]]);
  });

  it('is shown by a hidden tab without a visible one', async () => {
    const tab = new ReminderTab();
    tab.visible = false;
    await tab.harness.refreshWith(instancePayload(10 * MINUTE));
    await tab.harness.advance(1_999);
    // A refresh does not delay the reminder.
    await tab.harness.refreshWith();
    expect(tab.shown).toEqual([]);
    await tab.harness.advance(1);
    expect(tab.shown).toEqual([598]);
  });

  it('is not shown by a disposed tab', async () => {
    const tab = new ReminderTab();
    await tab.harness.refreshWith(instancePayload(HOUR));
    tab.reminders.dispose();
    tab.reminders.dispose();
    tab.harness.wakeUp();
    await tab.harness.refreshWith();
    expect(tab.harness.pendingCount).toBe(0);
    await tab.harness.advance(HOUR);
    expect(tab.shown).toEqual([]);
  });

  it('is not shown by a tab disposed while waiting', async () => {
    const waits = new ReminderTab();
    waits.visible = false;
    await waits.harness.refreshWith(instancePayload(10 * MINUTE));
    expect(waits.harness.pendingCount).toBe(2);
    waits.reminders.dispose();
    expect(waits.harness.pendingCount).toBe(0);
    let give: (got: boolean) => void = () => undefined;
    const claimed = new ReminderTab({
      claim: () => new Promise((resolve) => (give = resolve)),
      forget: () => undefined,
    });
    await claimed.harness.refreshWith(instancePayload(10 * MINUTE));
    claimed.reminders.dispose();
    give(true);
    await flushPromises();
    expect(claimed.shown).toEqual([]);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload } from '../fakes';
import { openPanel as createPanel, PanelFixture } from './panel-fixture';

let fixture: PanelFixture;

async function openPanel(payload?: unknown): Promise<void> {
  fixture = await createPanel(payload);
}

afterEach(() => {
  fixture.dispose();
});

describe('auto-stop', () => {
  const duration = '.ma-Panel-field input';

  it('sets a run time', async () => {
    await openPanel();
    expect(fixture.findInput(duration).value).toBe('2 h');
    fixture.enterText(duration, '2h30m');
    fixture.harness.backend.respond = () => ({ ok: true, effect: 'next-start' });
    await fixture.click('Save');
    expect(fixture.lastWrite).toMatchObject({
      body: {
        auto_stop: { duration_s: 9000, enabled: true },
        base: { auto_stop: { enabled: true, duration_s: 7200 } },
      },
    });
    expect(fixture.visibleText).toContain(
      'Saved for the next start. The stop time of this run is unchanged.',
    );
  });

  it.each([
    ['30m', 'Enter a duration from 1 h to 24 h.'],
    ['25h', 'Enter a duration from 1 h to 24 h.'],
    ['-2h', 'Examples: 90m, 2h30m, 2:30, at 18:00.'],
    ['99h', 'Enter a duration from 1 h to 24 h.'],
    ['18:00', 'Examples: 90m, 2h30m, 2:30, at 18:00.'],
    ['soon', 'Examples: 90m, 2h30m, 2:30, at 18:00.'],
  ])('refuses %s', async (typed, words) => {
    await openPanel();
    fixture.enterText(duration, typed);
    await fixture.click('Save');
    expect(fixture.visibleText).toContain(words);
    expect(fixture.lastWrite).toBeUndefined();
  });

  it.each([
    ['at 18:00', { until_ms: NOW + 68 * MINUTE }, '2026-11-23 18:00 +08:00'],
    ['in 90m', { within_s: 5400 }, '2026-11-23 18:22 +08:00'],
    ['tomorrow 09:00', { until_ms: NOW + 968 * MINUTE }, '2026-11-24 09:00 +08:00'],
  ])('shows the stop time that %s sets before it is saved', async (typed, sent, stopTime) => {
    await openPanel();
    fixture.enterText(duration, typed);
    expect(fixture.visibleText).toContain(`Will stop at ${stopTime}.`);
    await fixture.click('Save');
    expect(fixture.lastWrite).toMatchObject({ body: { auto_stop: { ...sent, enabled: true } } });
  });

  it('is not overwritten while it is edited', async () => {
    await openPanel();
    fixture.enterText(duration, '5h');
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }, { duration_s: 10_800 }));
    expect(fixture.findInput(duration).value).toBe('5h');
    expect(fixture.visibleText).toContain('Changed elsewhere to: 3 h');
    await fixture.click('Use Current');
    expect(fixture.findInput(duration).value).toBe('3 h');
  });

  it('is not saved before a conflict is resolved', async () => {
    await openPanel();
    fixture.enterText(duration, '5h');
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }, { duration_s: 10_800 }));
    fixture.findElement(duration).dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    await flushPromises();
    expect(fixture.lastWrite).toBeUndefined();
    await fixture.click('Keep Mine');
    await fixture.click('Save');
    expect(fixture.lastWrite).toMatchObject({ body: { auto_stop: { duration_s: 18_000 } } });
  });

  it('is saved once if requested twice', async () => {
    await openPanel();
    fixture.enterText(duration, '5h');
    let answer: (value: unknown) => void = () => undefined;
    fixture.harness.backend.respond = () => new Promise((resolve) => (answer = resolve));
    for (let turn = 0; turn < 2; turn++) {
      fixture.findElement(duration).dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
      await flushPromises();
    }
    expect(fixture.harness.backend.requestLines).toEqual(['GET instance', 'PATCH instance']);
    expect(fixture.findButton('Save').disabled).toBe(true);
    answer({ ok: true, effect: 'unconfirmed' });
    await flushPromises();
    expect(fixture.findElement('[role=status].ma-Panel-liveRegion').textContent).toBe(
      'Sent, but not yet confirmed by ModelArts.',
    );
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }, { duration_s: 9000 }));
    expect(fixture.findInput(duration).value).toBe('2 h 30 min');
    expect(() => fixture.findButton('Save')).toThrow();
  });

  it('is not shown as on if it is unknown', async () => {
    await openPanel(instancePayload(HOUR, {}, { enabled: null }));
    expect(fixture.findInput('[role=switch]').checked).toBe(false);
  });

  it('shows that it stops when idle', async () => {
    await openPanel(instancePayload(HOUR, {}, { mode: 'IDLE' }));
    expect(fixture.visibleText).toContain('Currently stops when idle.');
  });

  it('turns reminders off', async () => {
    await openPanel();
    const [, remind] = fixture.panel.node.querySelectorAll<HTMLInputElement>('[role=switch]');
    expect(remind?.checked).toBe(true);
    remind?.click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ path: 'remind', body: { muted: true } });
  });

  it('does not mark the run time on other errors', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => {
      throw new BackendError('api.500', 'Server error.', { status: 502 });
    };
    fixture.findElement('[role=switch]').click();
    await flushPromises();
    expect(fixture.findElement('.ma-Panel-message').dataset.tone).toBe('error');
    expect(fixture.findInput('[role=switch]').checked).toBe(true);
    expect(fixture.findElement(duration).hasAttribute('aria-invalid')).toBe(false);
  });

  it('is saved by Enter and cancelled by Escape', async () => {
    await openPanel();
    const press = (key: string, isComposing: boolean) =>
      fixture
        .findElement(duration)
        .dispatchEvent(new KeyboardEvent('keydown', { key, isComposing }));
    fixture.enterText(duration, '3小时');
    press('Escape', true);
    press('Enter', true);
    await flushPromises();
    expect(fixture.findInput(duration).value).toBe('3小时');
    expect(fixture.lastWrite).toBeUndefined();
    press('Enter', false);
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { auto_stop: { duration_s: 10_800 } } });
    fixture.enterText(duration, '4h');
    press('Escape', false);
    expect(fixture.findInput(duration).value).toBe('2 h');
  });

  it('can be saved after other settings have changed', async () => {
    await openPanel();
    fixture.enterText(duration, '5h');
    const autoStop = { enabled: false, mode: null, duration_s: 7200, prompt: null };
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }, autoStop));
    await fixture.click('Save');
    expect(fixture.lastWrite).toMatchObject({
      body: { auto_stop: { duration_s: 18_000, enabled: true }, base: { auto_stop: autoStop } },
    });
  });

  it('shows a message until the settings change', async () => {
    await openPanel();
    const toggle = fixture.findInput('[role=switch]');
    let answer: (value: unknown) => void = () => undefined;
    fixture.harness.backend.respond = () => new Promise((resolve) => (answer = resolve));
    toggle.checked = false;
    toggle.dispatchEvent(new Event('change'));
    await flushPromises();
    expect(fixture.visibleText).toContain('Saving…');
    expect([toggle.checked, toggle.disabled]).toEqual([false, true]);
    expect(fixture.findInput(duration).readOnly).toBe(true);
    fixture.harness.backend.respond = () => instancePayload();
    answer(changeResponse(instancePayload(HOUR, { seq: 2 })));
    await flushPromises();
    await fixture.harness.advance(1_000);
    expect(fixture.findInput(duration).readOnly).toBe(false);
    expect(fixture.visibleText).toContain('Saved. New stop time: 17:52.');
    await fixture.harness.refreshWith(
      instancePayload(HOUR, { seq: 3, as_of_ms: NOW + 2_000 }, { duration_s: 9000 }),
    );
    await fixture.harness.advance(10_000);
    expect(fixture.visibleText).not.toContain('Saved.');
  });

  it('is turned off if the API supports it', async () => {
    await openPanel();
    const toggle = fixture.findInput('[role=switch]');
    toggle.checked = false;
    toggle.dispatchEvent(new Event('change'));
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { auto_stop: { enabled: false } } });
    const capabilities = {
      min_duration_s: 3600,
      max_duration_s: 259_200,
      counts_from: 'now',
      can_disable: false,
    };
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2, capabilities }));
    expect(toggle.disabled).toBe(true);
    expect(fixture.visibleText).toContain('Run for (from now)');
    expect(fixture.visibleText).toContain('This API cannot turn auto-stop off.');
    await fixture.harness.refreshWith(
      instancePayload(HOUR, { seq: 3, capabilities }, { enabled: false }),
    );
    expect(toggle.disabled).toBe(false);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { changeResponse, instancePayload } from '../fakes';
import { openPanel as createPanel, PanelFixture } from './panel-fixture';

let fixture: PanelFixture;

async function openPanel(payload?: unknown): Promise<void> {
  fixture = await createPanel(payload);
}

afterEach(() => {
  fixture.dispose();
});

describe('the countdown in the panel', () => {
  it('calls the manager on +1 h', async () => {
    await openPanel();
    const later = { seq: 2, as_of_ms: NOW + 1, server_now_ms: NOW + 500 };
    fixture.harness.backend.respond = () => changeResponse(instancePayload(132 * MINUTE, later));
    fixture.findElement('[data-action=extend]').click();
    await fixture.harness.advance(500);
    expect(fixture.lastWrite).toMatchObject({
      path: 'extend',
      body: { seconds: 3600, base_stops_at_ms: NOW + 72 * MINUTE },
    });
    expect(fixture.findElement('.ma-Countdown-feedback').textContent).toBe('New stop time: 19:04.');
  });

  describe('after the stop time', () => {
    const passed = { stops_at_ms: null, passed_stop_ms: NOW - 2 * MINUTE };
    const bounds = {
      earliest_stop_ms: NOW + 5 * MINUTE,
      latest_stop_ms: NOW + 24 * HOUR,
      from_now: false,
    };

    it('extends from now while the instance runs', async () => {
      const state = { ...passed, unknown_reason: 'stop-time-passed', bounds };
      await openPanel(instancePayload(0, {}, state));
      const [extend, shorten] = ['extend', 'shorten'].map((action) =>
        fixture.findElement(`[data-action=${action}]`),
      );
      expect(extend?.getAttribute('aria-disabled')).toBeNull();
      expect(shorten?.getAttribute('aria-disabled')).toBe('true');
      expect(fixture.findElement('.ma-Countdown-reason').textContent).toBe(
        'The stop time has passed, but the instance is still running.',
      );
      extend?.click();
      expect(fixture.findElement('.ma-Countdown-timeLeft').textContent).toBe('1 h');
      await fixture.harness.advance(500);
      expect(fixture.lastWrite).toMatchObject({
        path: 'extend',
        body: { seconds: 3600, base_stops_at_ms: NOW - 2 * MINUTE },
      });
    });

    it.each([30_000, 120_000])('extends %i ms after the page counted to zero', async (ms) => {
      await openPanel(instancePayload(MINUTE));
      await fixture.harness.advance(MINUTE + ms);
      fixture.findElement('[data-action=extend]').click();
      await fixture.harness.advance(500);
      expect(fixture.lastWrite).toMatchObject({
        path: 'extend',
        body: { seconds: 3600, base_stops_at_ms: NOW + MINUTE },
      });
    });

    it('does not extend an instance that is stopping', async () => {
      await openPanel(instancePayload(0, {}, { ...passed, status: 'STOPPING' }));
      const extend = fixture.findElement('[data-action=extend]');
      expect(extend.getAttribute('aria-disabled')).toBe('true');
    });
  });

  it('names a way to keep a run that was not extended', async () => {
    await openPanel();
    const values = { duration_s: 7200, previous_duration_s: 3600, keeps_running: 'off' };
    fixture.harness.backend.respond = () => ({ ok: true, effect: 'next-start', values });
    fixture.findElement('[data-action=extend]').click();
    await fixture.harness.advance(500);
    expect(fixture.findElement('.ma-Countdown-feedback').textContent).toBe(
      'This run was NOT extended: it still stops at 18:04 (1 h 11 min left). ' +
        'Saved for the next start: 2 h (was 1 h). Turning auto-stop off may keep this run: ' +
        'it then runs, and is billed, until you stop it.',
    );
  });

  it('needs no widget bridge', async () => {
    await openPanel();
    fixture.bridge.dispose();
    fixture.findElement('[data-action=extend]').click();
    await fixture.harness.advance(500);
    expect(fixture.lastWrite).toMatchObject({ path: 'extend' });
  });

  it('shortens the run on −1 h', async () => {
    await openPanel();
    fixture.findElement('[data-action=shorten]').click();
    await fixture.harness.advance(500);
    expect(fixture.lastWrite).toMatchObject({ path: 'extend', body: { seconds: -3600 } });
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { MINUTE, NOW } from '../countdown/fakes';
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

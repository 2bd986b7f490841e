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

describe('the panel shows', () => {
  it('the instance and the time left', async () => {
    await openPanel(instancePayload(72 * MINUTE, {}, { demo: true }));
    expect(fixture.findElement('h2').textContent).toBe('train-a');
    expect(fixture.findElement('.ma-Countdown-timeLeft').textContent).toBe('1 h 12 min');
    for (const words of ['RUNNING', 'gpu.1', 'i-1', 'demanager', 'Jupyter server']) {
      expect(fixture.visibleText).toContain(words);
    }
  });

  it('progress, then an error with its hint', async () => {
    fixture = new PanelFixture();
    expect(fixture.visibleText).toContain('Looking for the instance…');
    expect(fixture.visibleText).not.toMatch(/Auto-stop|Description|Check Setup/);
    const problem = { code: 'x', message: 'No credentials.', hint: 'Set MODELARTS_AUTH_TOKEN.' };
    await fixture.harness.refreshWith(
      instancePayload(0, { problem, instance: null, read_only: true }),
    );
    expect(fixture.visibleText).toContain('No credentials.');
    expect(fixture.visibleText).toContain('Set MODELARTS_AUTH_TOKEN.');
    expect(fixture.visibleText).not.toContain('Looking');
    const retry = fixture.findButton('Try Again');
    await fixture.harness.refreshWith();
    // The element is kept, and with it the focus.
    expect(fixture.findButton('Try Again')).toBe(retry);
    await fixture.click('Try Again');
    expect(fixture.harness.backend.requestLines.at(-1)).toBe('GET instance?refresh=1');
  });

  it('the notices of the server', async () => {
    await openPanel(instancePayload(HOUR, { notices: ['Other credentials are used.', 7] }));
    expect(fixture.visibleText).toContain('Other credentials are used.');
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }));
    expect(fixture.visibleText).not.toContain('Other credentials');
  });

  it('its time zone where it differs from the one of kernels', async () => {
    await openPanel(instancePayload(HOUR, { utc_offset_s: 0 }));
    expect(fixture.visibleText).toContain(
      'Times here are in Asia/Shanghai (UTC+08:00); kernels and terminals use UTC+00:00.',
    );
    await fixture.harness.refreshWith(instancePayload(HOUR, { utc_offset_s: -12_600 }));
    expect(fixture.visibleText).toContain('kernels and terminals use UTC−03:30.');
    for (const same of [28_800, null]) {
      await fixture.harness.refreshWith(instancePayload(HOUR, { utc_offset_s: same }));
      expect(fixture.visibleText).not.toContain('Times here');
    }
  });

  it('when the state was observed while no events arrive', async () => {
    fixture = new PanelFixture();
    fixture.harness.isStreamOpen = false;
    await fixture.harness.refreshWith(instancePayload(HOUR));
    await fixture.harness.advance(10_000);
    expect(fixture.visibleText).toContain('As of 2026-11-23 16:52 +08:00. Changes elsewhere');
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await fixture.harness.manager.refresh();
    expect(fixture.visibleText).toMatch(/As of 2026-11-23 16:52 \+08:00\.(?! Changes)/);
  });

  it('the stop after which the server no longer answers', async () => {
    await openPanel(instancePayload(MINUTE));
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await fixture.harness.advance(MINUTE);
    await fixture.harness.manager.refresh();
    expect(fixture.visibleText).toContain('Stopped at 16:53 by auto-stop');
    expect(fixture.visibleText).toContain('STOPPED');
    expect(fixture.findElement('.ma-Countdown-timeLeft').textContent).toBe('Stopped');
  });

  it('a read-only state with its time', async () => {
    await openPanel(
      instancePayload(HOUR, { read_only: true }, { can_change: false, reason: 'read-only' }),
    );
    expect(fixture.visibleText).toContain('Last updated 2026-11-23 16:52 +08:00; read-only.');
    expect(fixture.findElement('.ma-Panel-countdown').classList).toContain('ma-mod-readOnly');
    const fields = [
      ...fixture.panel.node.querySelectorAll<HTMLInputElement>(
        '.ma-Panel-section:not(.ma-Panel-notifications) input',
      ),
    ];
    expect(fields.map(({ disabled }) => disabled)).toEqual(fields.map(() => true));
    expect(() => fixture.findButton('Edit')).toThrow();
    fixture.panel.focusField('description');
    expect(fixture.findElement('.ma-Panel-form').hidden).toBe(true);
  });

  it('an unreachable server and the last known state', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await fixture.harness.refreshWith();
    expect(fixture.visibleText).toContain('The Jupyter server is not responding.');
    expect(fixture.findElement('.ma-Panel-countdown').classList).toContain('ma-mod-readOnly');
    expect(fixture.findElement('h2').textContent).toBe('train-a');
  });

  it.each([
    [new BackendError('no-backend'), 'Install it in one of them'],
    [new BackendError('x', 'It broke.', { hint: 'Fix it.' }), 'It broke. Fix it.'],
    [new BackendError('x'), 'The operation failed.'],
  ])('why the instance cannot be read: %o', async (failure, words) => {
    fixture = new PanelFixture();
    fixture.harness.backend.respond = () => {
      throw failure;
    };
    await fixture.harness.refreshWith();
    expect(fixture.visibleText).toContain(words);
  });

  it('the last run until it is dismissed', async () => {
    const lastRun = {
      ...{ ended_at_ms: NOW - HOUR, reason: 'auto-stop', duration_s: 3600, saved: ['a.ipynb'] },
      not_saved: [{ path: 'b.py', reason: 'changed-on-disk' }],
    };
    await openPanel(instancePayload(HOUR, { last_run: lastRun }));
    expect(fixture.visibleText).toContain('Last run ended at 15:52 (auto-stop, 1 h).');
    expect(fixture.visibleText).toContain('Saved: a.ipynb');
    expect(fixture.visibleText).toContain('Not saved: b.py (changed on disk)');
    fixture.harness.backend.respond = () => instancePayload();
    await fixture.click('Dismiss');
    expect(fixture.harness.backend.requestLines).toContain('DELETE saved');
    expect(fixture.visibleText).not.toContain('Last run');
  });

  it('the documents saved before the stop', async () => {
    await openPanel();
    const notSaved = [{ path: 'c', reason: 'timed-out' }];
    await fixture.harness.manager.reportSaved(NOW, { saved: [], notSaved }, 'tab');
    expect(fixture.visibleText).toContain('Not saved: c (timed out)');
  });

  it('that reminders are off and turns them on', async () => {
    await openPanel(instancePayload(HOUR, { reminders: { muted: true } }));
    expect(fixture.visibleText).toContain('Reminders are off for this instance.');
    fixture.harness.backend.respond = () => changeResponse();
    await fixture.click('Turn On');
    expect(fixture.lastWrite).toMatchObject({ path: 'remind', body: { muted: false } });
    expect(fixture.visibleText).not.toContain('Reminders are off');
  });

  it('why reminders could not be turned on', async () => {
    await openPanel(instancePayload(HOUR, { reminders: { muted: true } }));
    fixture.harness.backend.respond = () => {
      throw new BackendError('api.500', 'Server error.', { status: 502 });
    };
    await fixture.click('Turn On');
    expect(fixture.visibleText).toContain('Server error.');
    fixture.harness.backend.respond = () => changeResponse();
    await fixture.click('Turn On');
    await fixture.harness.refreshWith(
      instancePayload(HOUR, { seq: 2, reminders: { muted: true } }),
    );
    expect(fixture.visibleText).toContain('Reminders are off');
    expect(fixture.findElement('.ma-Panel-notices').querySelector('.ma-Panel-error')).toBeNull();
  });

  it('that a change had no response', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable', 'Failed to fetch');
    };
    fixture.enterText('.ma-Panel-field input', '3h');
    await fixture.click('Save');
    expect(fixture.visibleText).toContain(
      'The Jupyter server is not responding. The current state will be shown',
    );
    expect(fixture.visibleText).not.toContain('fetch');
  });

  it('the findings of the doctor, problems first', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => ({
      findings: [
        { label: 'store', level: 'ok', message: 'there', hint: '' },
        { label: 'clock', level: 'problem', message: 'is wrong', hint: 'Set it.' },
      ],
    });
    const details = [...fixture.panel.node.querySelectorAll('details')].at(
      -1,
    ) as HTMLDetailsElement;
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
    await flushPromises();
    const lines = [...fixture.panel.node.querySelectorAll('li')].map((each) => each.textContent);
    expect(lines).toEqual(['✗ clock is wrongSet it.', '✓ store there']);
    const before = fixture.harness.backend.requestLines;
    details.open = false;
    details.dispatchEvent(new Event('toggle'));
    expect(fixture.harness.backend.requestLines).toEqual(before);
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
    await flushPromises();
    expect(details.textContent).toContain('The Jupyter server is not responding.');
  });

  it('the state of the API after a refresh', async () => {
    await openPanel();
    const ask = fixture.findElement('.ma-Panel-refresh') as HTMLButtonElement;
    ask.click();
    expect(ask.disabled).toBe(true);
    await flushPromises();
    expect(fixture.harness.backend.requestLines).toEqual([
      'GET instance',
      'GET instance?refresh=1',
    ]);
    expect(ask.disabled).toBe(false);
  });

  it('the right time after the local clock was set', async () => {
    await openPanel();
    fixture.harness.timers.sleep(HOUR);
    await fixture.harness.advance(MINUTE);
    expect(fixture.harness.backend.requestLines).toEqual(['GET instance', 'GET instance']);
  });

  it('no details if they are turned off', async () => {
    await openPanel();
    fixture.harness.manager.preferences = {
      ...fixture.harness.manager.preferences,
      showDetails: false,
    };
    expect(fixture.visibleText).not.toContain('gpu.1');
  });
});

describe('two changes in a row', () => {
  it('are based on the current state', async () => {
    await openPanel();
    const toggle = fixture.findInput('[role=switch]');
    for (const [seq, enabled] of [
      [2, false],
      [3, true],
    ] as const) {
      const known = fixture.harness.manager.payload?.instance?.autoStop;
      fixture.harness.backend.respond = () =>
        changeResponse(instancePayload(HOUR, { seq }, { enabled }));
      toggle.checked = enabled;
      toggle.dispatchEvent(new Event('change'));
      await flushPromises();
      expect(fixture.lastWrite).toMatchObject({ body: { base: { auto_stop: known } } });
      expect(fixture.harness.manager.payload?.instance?.autoStop).toMatchObject({ enabled });
    }
    expect(fixture.harness.backend.requestLines).toEqual([
      ...['GET instance', 'PATCH instance', 'PATCH instance'],
    ]);
  });
});

it('can be disposed twice', async () => {
  await openPanel();
  fixture.panel.dispose();
  fixture.panel.dispose();
  expect(fixture.panel.isDisposed).toBe(true);
  expect(fixture.harness.pendingCount).toBe(0);
  expect(document.querySelector('.ma-Panel-content')).toBeNull();
  await fixture.harness.refreshWith(
    instancePayload(HOUR, { seq: 2, instance: { id: 'i-1', name: 'train-b' } }),
  );
  expect(fixture.findElement('h2').textContent).toBe('train-a');
});

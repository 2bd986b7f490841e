import { describe, expect, it } from 'vitest';
import { StatusItem } from '../src/status-item';
import { BackendError } from '../src/tokens';
import { HOUR, MINUTE, NOW } from './countdown/fakes';
import { instancePayload, ManagerHarness, trans } from './fakes';

function createStatusItem() {
  const harness = new ManagerHarness();
  const { manager, timers } = harness;
  const clicks: string[] = [];
  const updates: number[] = [];
  const item = new StatusItem({
    ...{ manager, trans },
    timers: {
      now: () => timers.now(),
      monotonic: () => timers.monotonic(),
      setTimeout: (callback, ms) => {
        updates.push(ms);
        return timers.setTimeout(callback, ms);
      },
      clearTimeout: (id) => {
        timers.clearTimeout(id);
      },
    },
    onClick: (byKeyboard) => clicks.push(byKeyboard ? 'key' : 'click'),
  });
  const button = item.node.querySelector('button');
  return { harness, item, clicks, updates, button, text: () => button?.textContent };
}

describe('the status item', () => {
  it('shows each phase', async () => {
    const { harness, item, text } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE));
    expect([text(), item.node.dataset.phase]).toEqual(['Stops in 1 h 12 min', 'calm']);
    await harness.advance(42 * MINUTE);
    expect([text(), item.node.dataset.phase]).toEqual(['Stops in 30 min', 'soon']);
    await harness.advance(20 * MINUTE + 1_000);
    expect(text()).toBe('Stops in 9 min 59 s');
    await harness.advance(10 * MINUTE);
    expect(text()).toBe('Stopping');
    await harness.advance(2 * MINUTE);
    expect(text()).toBe('Stop time unknown');
    expect(harness.pendingCount).toBe(0);
  });

  it('is updated once a minute', async () => {
    const { harness, updates } = createStatusItem();
    await harness.refreshWith(instancePayload(HOUR));
    await harness.advance(10 * MINUTE);
    expect(updates.length).toBeLessThanOrEqual(12);
  });

  it('shows the content of the settings', async () => {
    const { harness, text } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE));
    const { manager } = harness;
    manager.preferences = { ...manager.preferences, statusShows: 'stop-time' };
    expect(text()).toBe('Stops at 18:04');
    manager.preferences = { ...manager.preferences, statusShows: 'both' };
    expect(text()).toBe('Stops in 1 h 12 min · 18:04');
  });

  it('is updated rarely while the instance is stopping', async () => {
    const { harness, updates, text } = createStatusItem();
    await harness.refreshWith(instancePayload(-HOUR, {}, { status: 'STOPPING' }));
    expect(text()).toBe('Stopping');
    await harness.advance(10_000);
    expect(updates.length).toBeLessThanOrEqual(12);
  });

  it('is a named button that opens the panel', async () => {
    const { harness, button, clicks } = createStatusItem();
    await harness.refreshWith(instancePayload(72 * MINUTE + 30_000));
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 18:04, 1 h 12 min left.');
    expect(button?.title).toBe('ModelArts train-a · Stops at 2026-11-23 18:04 +08:00');
    button?.dispatchEvent(new MouseEvent('click', { detail: 1 }));
    button?.click();
    expect(clicks).toEqual(['click', 'key']);
    // The seconds are not announced.
    await harness.refreshWith(instancePayload(9 * MINUTE + 30_000));
    expect(button?.getAttribute('aria-label')).toBe('ModelArts: Stops at 17:01, 9 min left.');
  });

  it('shows that the server does not respond', async () => {
    const { harness, button, text } = createStatusItem();
    expect(text()).toBe('…');
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(text()).toBe('No response');
    expect(button?.title).toMatch(/^The Jupyter server is not responding/);
  });

  it.each([
    [{ enabled: false }, 'Auto-stop is off'],
    [{ mode: 'IDLE' }, 'Stops when idle'],
    [{ stops_at_ms: null }, 'Stop time unknown'],
  ])('does not count down for %o', async (state, words) => {
    const { harness, text } = createStatusItem();
    await harness.refreshWith(instancePayload(HOUR, {}, state));
    expect(text()).toBe(words);
  });

  it('shows that setup is needed, or is hidden', async () => {
    const { harness, item, text } = createStatusItem();
    const problem = { code: 'x', message: 'No credentials.', hint: '' };
    await harness.refreshWith(
      instancePayload(0, { state: null, instance: null, problem, read_only: true }),
    );
    expect(text()).toBe('Set Up ModelArts');
    await harness.refreshWith(instancePayload(0, { state: null, instance: null, problem }));
    expect(text()).toBe('No response');
    const alone = createStatusItem();
    alone.harness.backend.respond = () => {
      throw new BackendError('no-backend');
    };
    await alone.harness.refreshWith();
    expect(alone.item.isHidden).toBe(true);
    expect(item.isHidden).toBe(false);
  });

  it('shows when an outdated state was observed', async () => {
    const { harness, button, item, text } = createStatusItem();
    await harness.refreshWith(instancePayload());
    expect(text()).toBe('Stops in 1 h 12 min');
    await harness.refreshWith(instancePayload(72 * MINUTE, { read_only: true, seq: 2 }));
    expect(text()).toBe('Stops in 1 h 12 min · as of 16:52');
    await harness.refreshWith(instancePayload(72 * MINUTE, { seq: 3 }));
    expect(text()).toBe('Stops in 1 h 12 min');
    const problem = { code: 'network', message: 'Cannot connect to host.', hint: '' };
    await harness.refreshWith(instancePayload(72 * MINUTE, { problem, seq: 4 }));
    expect(text()).toBe('Stops in 1 h 12 min · as of 16:52');
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await harness.refreshWith();
    expect(text()).toBe('Stops in 1 h 12 min · as of 16:52');
    expect(button?.getAttribute('aria-label')).toMatch(/1 h 12 min left\. · as of 16:52$/);
    harness.backend.respond = () => {
      throw new BackendError('no-backend');
    };
    await harness.refreshWith();
    expect(item.isHidden).toBe(false);
  });

  it('shows when the state was observed if no events arrive', async () => {
    const { harness, text } = createStatusItem();
    harness.isStreamOpen = false;
    await harness.refreshWith(instancePayload());
    await harness.advance(10_000);
    expect(text()).toBe('Stops in 1 h 11 min · as of 16:52');
  });

  it('shows the stop after which the server no longer answers', async () => {
    const { harness, item, text, button } = createStatusItem();
    await harness.refreshWith(instancePayload(MINUTE));
    harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    const notSaved = [{ path: 'b.py', reason: 'timed-out' }];
    await harness.manager.reportSaved(NOW + MINUTE, { saved: ['a.ipynb'], notSaved }, '');
    await harness.advance(MINUTE);
    await harness.advance(5_000);
    const sentence =
      'Stopped at 16:53 by auto-stop (the server no longer answers). Saved: a.ipynb. ' +
      'Not saved: b.py (timed out). Start it again in the console.';
    expect([text(), button?.title, item.node.dataset.phase]).toEqual([
      ...[sentence, sentence, 'stopped'],
    ]);
  });

  it('counts in the title of the page in the last ten minutes', async () => {
    document.title = 'a.ipynb';
    const { harness, item } = createStatusItem();
    await harness.refreshWith(instancePayload(11 * MINUTE));
    expect(document.title).toBe('a.ipynb');
    await harness.advance(MINUTE + 1_000);
    expect(document.title).toBe('Stops in 9 min 59 s · a.ipynb');
    // JupyterLab sets it when another document is opened.
    document.title = 'b.ipynb';
    await harness.advance(1_000);
    expect(document.title).toBe('Stops in 9 min 58 s · b.ipynb');
    await harness.refreshWith(instancePayload(HOUR, { seq: 2 }));
    expect(document.title).toBe('b.ipynb');
    await harness.refreshWith(instancePayload(5 * MINUTE, { seq: 3 }));
    item.dispose();
    expect(document.title).toBe('b.ipynb');
  });

  it('can be disposed twice', async () => {
    const { harness, item } = createStatusItem();
    await harness.refreshWith();
    item.dispose();
    item.dispose();
    expect(harness.pendingCount).toBe(0);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { asObject } from '../../src/countdown/messages';
import { WidgetBridge } from '../../src/manager/widget-bridge';
import { Panel } from '../../src/panel/panel';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { ManagerHarness, changeResponse, flushPromises, trans, instancePayload } from '../fakes';

const instanceWith = (description: string) => ({ id: 'i-1', name: 'train-a', description });

class PanelFixture {
  readonly harness = new ManagerHarness();
  readonly bridge = new WidgetBridge(this.harness.manager, document, trans);
  readonly panel: Panel;

  constructor() {
    const { manager, timers } = this.harness;
    this.panel = new Panel({ manager, trans, timers, wakeups: [] });
    document.body.append(this.panel.node);
  }

  get visibleText(): string {
    const seen = (node: Element): string =>
      node.closest('[hidden]') ? '' : node.children.length === 0 ? (node.textContent ?? '') : '';
    return [...this.panel.node.querySelectorAll('*')].map(seen).join(' ');
  }

  findElement(selector: string): HTMLElement {
    const found = this.panel.node.querySelector<HTMLElement>(selector);
    if (!found) {
      throw new Error(`no ${selector}`);
    }
    return found;
  }

  /** Find an input field or a switch. */
  findInput(selector: string): HTMLInputElement {
    return this.findElement(selector) as HTMLInputElement;
  }

  findButton(words: string): HTMLButtonElement {
    const all = [...this.panel.node.querySelectorAll('button')];
    const found = all.find((each) => each.textContent === words && !each.closest('[hidden]'));
    if (!found) {
      throw new Error(`no button ${words}`);
    }
    return found;
  }

  async click(words: string): Promise<void> {
    this.findButton(words).click();
    await flushPromises();
  }

  enterText(selector: string, value: string): void {
    const field = this.findInput(selector);
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }

  get lastWrite(): unknown {
    return this.harness.backend.requests.filter(({ method }) => method !== 'GET').at(-1);
  }
}

let fixture: PanelFixture;

async function openPanel(answer: unknown = instancePayload()): Promise<PanelFixture> {
  fixture = new PanelFixture();
  await fixture.harness.refreshWith(answer);
  return fixture;
}

/** Add the element of a countdown widget to the page. */
function addNotebookCountdown(id: unknown = 'i-1') {
  const node = document.createElement('div');
  node.className = 'ma-Countdown';
  node.dataset.instance = String(id);
  document.body.append(node);
  const pushed: unknown[] = [];
  const answers: unknown[] = [];
  node.addEventListener('modelarts-magics:state', (event) =>
    pushed.push((event as CustomEvent).detail),
  );
  const ask = (): boolean => {
    const change = { id: '1', action: 'extend', seconds: 3600 };
    const respond = (answer: unknown) => answers.push(answer);
    const detail = { ...change, base_stops_at_ms: NOW + 72 * MINUTE, respond };
    const options = { bubbles: true, cancelable: true, detail };
    return !node.dispatchEvent(new CustomEvent('modelarts-magics:request', options));
  };
  return { ask, pushed, answers };
}

afterEach(() => {
  document.querySelectorAll('body > .ma-Countdown').forEach((each) => {
    each.remove();
  });
  fixture.panel.dispose();
  fixture.bridge.dispose();
  fixture.harness.manager.dispose();
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

  it('a read-only state with its time', async () => {
    await openPanel(
      instancePayload(HOUR, { read_only: true }, { can_change: false, reason: 'read-only' }),
    );
    expect(fixture.visibleText).toContain('Last updated 2026-11-23 16:52 +08:00; read-only.');
    expect(fixture.findElement('.ma-Panel-countdown').classList).toContain('ma-mod-readOnly');
    const fields = [
      ...fixture.panel.node.querySelectorAll<HTMLInputElement>('.ma-Panel-section input'),
    ];
    expect(fields.map(({ disabled }) => disabled)).toEqual([true, true, true]);
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
    [new BackendError('no-backend'), 'pip install modelarts-magics'],
    [new BackendError('x', 'It broke.', { hint: 'Mend it.' }), 'It broke. Mend it.'],
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
      throw new BackendError('cloud.500', 'The cloud failed.', { status: 502 });
    };
    await fixture.click('Turn On');
    expect(fixture.visibleText).toContain('The cloud failed.');
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
    const details = fixture.findElement('details') as HTMLDetailsElement;
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

describe('the description', () => {
  it('is saved with the text it is based on', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'two');
    fixture.harness.backend.respond = () =>
      changeResponse(instancePayload(HOUR, { seq: 2, instance: instanceWith('two') }));
    await fixture.click('Save');
    expect(fixture.lastWrite).toEqual({
      ...{ method: 'PATCH', path: 'instance' },
      body: { description: 'two', base: { description: 'one' } },
    });
    expect(fixture.findElement('.ma-Panel-description').textContent).toBe('two');
    expect(fixture.findElement('[role=status].ma-Panel-liveRegion').textContent).toBe('Saved.');
  });

  it('with an invalid character offers its full-width form', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'a/b');
    expect(fixture.visibleText).toContain('“/” (position 2) is not allowed.');
    expect(fixture.findElement('textarea').getAttribute('aria-describedby')).toBe(
      'ma-description-error',
    );
    expect(fixture.findButton('Save').disabled).toBe(true);
    const save = { key: 'Enter', ctrlKey: true };
    fixture.findElement('textarea').dispatchEvent(new KeyboardEvent('keydown', save));
    await flushPromises();
    expect(fixture.lastWrite).toBeUndefined();
    fixture.panel.focusField('description');
    expect(fixture.findInput('textarea').value).toBe('a/b');
    await fixture.click('Use Full-Width Characters');
    expect(fixture.findInput('textarea').value).toBe('a／b');
    expect(fixture.findButton('Save').disabled).toBe(false);
  });

  it('is not overwritten while it is edited', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'mine');
    await fixture.harness.refreshWith(
      instancePayload(HOUR, { seq: 2, instance: instanceWith('theirs') }),
    );
    expect(fixture.findInput('textarea').value).toBe('mine');
    expect(fixture.findElement('.ma-Panel-form .ma-Panel-conflictText').textContent).toBe(
      'Changed elsewhere to: theirs',
    );
    expect(fixture.findButton('Save').disabled).toBe(true);
    const save = { key: 'Enter', ctrlKey: true };
    fixture.findElement('textarea').dispatchEvent(new KeyboardEvent('keydown', save));
    await flushPromises();
    expect(fixture.lastWrite).toBeUndefined();
    await fixture.click('Keep Mine');
    await fixture.click('Save');
    expect(fixture.lastWrite).toMatchObject({
      body: { description: 'mine', base: { description: 'theirs' } },
    });
  });

  it('can be replaced by the current one', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'mine');
    fixture.harness.backend.respond = () => {
      const current = instancePayload(HOUR, { seq: 2, instance: instanceWith('theirs') });
      throw new BackendError('refuse.changed', 'Changed.', { status: 409, details: { current } });
    };
    await fixture.click('Save');
    // The conflict is shown instead of an error.
    expect(fixture.findElement('.ma-Panel-form .ma-Panel-error').textContent).toBe('');
    await fixture.click('Use Current');
    expect(fixture.findElement('.ma-Panel-description').textContent).toBe('theirs');
  });

  it('cannot be edited while it is saved', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'two');
    let answer: (value: unknown) => void = () => undefined;
    fixture.harness.backend.respond = () => new Promise((resolve) => (answer = resolve));
    await fixture.click('Save');
    expect(fixture.findInput('textarea').readOnly).toBe(true);
    const again = { key: 'Enter', ctrlKey: true };
    fixture.findElement('textarea').dispatchEvent(new KeyboardEvent('keydown', again));
    await flushPromises();
    expect(fixture.harness.backend.requestLines).toEqual(['GET instance', 'PATCH instance']);
    answer(changeResponse());
    await flushPromises();
    await fixture.click('Edit');
    expect(fixture.findInput('textarea').readOnly).toBe(false);
  });

  it('stays in the form if the API refuses it', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'mine');
    fixture.harness.backend.respond = () => {
      throw new BackendError('x', 'The cloud says no.', { status: 502 });
    };
    await fixture.click('Save');
    expect(fixture.visibleText).toContain('The cloud says no.');
    expect(fixture.findInput('textarea').value).toBe('mine');
    const wrong = fixture.findElement('.ma-Panel-form .ma-Panel-error');
    fixture.enterText('textarea', 'mine too');
    expect(wrong.textContent).toBe('');
    await fixture.click('Save');
    expect(wrong.textContent).toBe('The cloud says no.');
    await fixture.click('Cancel');
    await fixture.click('Edit');
    expect(wrong.textContent).toBe('');
  });

  it('ignores keys that end a composition', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', '二');
    for (const key of ['Escape', 'Enter']) {
      const init = { key, ctrlKey: true, isComposing: true };
      fixture.findElement('textarea').dispatchEvent(new KeyboardEvent('keydown', init));
    }
    await flushPromises();
    expect(fixture.findElement('.ma-Panel-form').hidden).toBe(false);
    expect(fixture.lastWrite).toBeUndefined();
  });

  it('is cancelled by Escape and saved by Ctrl+Enter', async () => {
    await openPanel();
    await fixture.click('Edit');
    const key = (init: KeyboardEventInit) =>
      fixture.findElement('textarea').dispatchEvent(new KeyboardEvent('keydown', init));
    key({ key: 'Escape' });
    expect(fixture.findElement('.ma-Panel-form').hidden).toBe(true);
    fixture.panel.focusField('description');
    fixture.enterText('textarea', 'three');
    key({ key: 'Enter', ctrlKey: true });
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { description: 'three' } });
  });
});

describe('auto-stop', () => {
  const duration = '.ma-Panel-field input';

  it('sets a run time', async () => {
    await openPanel();
    expect(fixture.findInput(duration).value).toBe('2h');
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
    ['-2h', 'Use a format such as 90m or 2h30m.'],
    ['soon', 'Use a format such as 90m or 2h30m.'],
  ])('refuses %s', async (typed, words) => {
    await openPanel();
    fixture.enterText(duration, typed);
    await fixture.click('Save');
    expect(fixture.visibleText).toContain(words);
    expect(fixture.lastWrite).toBeUndefined();
  });

  it('is not overwritten while it is edited', async () => {
    await openPanel();
    fixture.enterText(duration, '5h');
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }, { duration_s: 10_800 }));
    expect(fixture.findInput(duration).value).toBe('5h');
    expect(fixture.visibleText).toContain('Changed elsewhere to: 3h');
    await fixture.click('Use Current');
    expect(fixture.findInput(duration).value).toBe('3h');
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
    expect(fixture.findInput(duration).value).toBe('2h30m');
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
      throw new BackendError('cloud.500', 'The cloud failed.', { status: 502 });
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
    expect(fixture.findInput(duration).value).toBe('2h');
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

describe('a click on +1 h', () => {
  it('in the panel calls the manager', async () => {
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

  it('in the panel needs no bridge', async () => {
    await openPanel();
    fixture.bridge.dispose();
    fixture.findElement('[data-action=extend]').click();
    await fixture.harness.advance(500);
    expect(fixture.lastWrite).toMatchObject({ path: 'extend' });
    const { pushed } = addNotebookCountdown();
    await fixture.harness.refreshWith();
    expect(pushed).toEqual([]);
  });

  it('on −1 h shortens the run', async () => {
    await openPanel();
    fixture.findElement('[data-action=shorten]').click();
    await fixture.harness.advance(500);
    expect(fixture.lastWrite).toMatchObject({ path: 'extend', body: { seconds: -3600 } });
  });

  it.each([
    ['accepted', instancePayload(), true],
    ['accepted if the stop time differs slightly', instancePayload(72 * MINUTE + 700), true],
    ['left to the kernel for another stop time', instancePayload(HOUR), false],
    [
      'left to the kernel if the server is read-only',
      instancePayload(72 * MINUTE, { read_only: true }),
      false,
    ],
    [
      'left to the kernel if nothing can be changed',
      instancePayload(72 * MINUTE, {}, { can_change: false }),
      false,
    ],
    [
      'left to the kernel for an unknown instance',
      instancePayload(72 * MINUTE, {}, { id: '' }),
      false,
    ],
  ])('in a notebook is %s', async (_, answer, taken) => {
    await openPanel(answer);
    expect(addNotebookCountdown(asObject(asObject(answer).state).id).ask()).toBe(taken);
  });

  it('in a notebook is left to the kernel without a server', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    await fixture.harness.refreshWith();
    expect(addNotebookCountdown().ask()).toBe(false);
  });

  it('in a notebook reports a missing response', async () => {
    await openPanel();
    fixture.harness.backend.respond = () => {
      throw new BackendError('unreachable');
    };
    const asked = addNotebookCountdown();
    expect(asked.ask()).toBe(true);
    await flushPromises();
    expect(asked.answers).toMatchObject([
      {
        ...{ ok: false, code: 'unreachable', as_of_ms: NOW, server_now_ms: NOW },
        text: 'The Jupyter server is not responding. The current state will be shown once it responds.',
      },
    ]);
  });

  it('in a notebook is not updated by a read-only server', async () => {
    await openPanel();
    const { pushed } = addNotebookCountdown();
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2, read_only: true }));
    expect(pushed).toEqual([]);
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 3 }));
    expect(pushed).toMatchObject([{ as_of_ms: NOW, server_now_ms: NOW }]);
  });

  it('in a notebook has no time if the server sent none', async () => {
    await openPanel(instancePayload(HOUR, { server_now_ms: null }));
    const { pushed } = addNotebookCountdown();
    await fixture.harness.refreshWith();
    expect(pushed).toHaveLength(1);
    expect(pushed[0]).not.toHaveProperty('server_now_ms');
  });

  it('in a notebook updates countdowns of the same instance', async () => {
    await openPanel();
    const [one, other, nobodys] = ['i-1', 'i-2', ''].map(addNotebookCountdown);
    await fixture.harness.refreshWith(instancePayload(HOUR, { seq: 2 }));
    expect([one, other, nobodys].map((each) => each?.pushed.length)).toEqual([1, 0, 0]);
    expect(other?.ask()).toBe(false);
  });
});

it('can be disposed twice', async () => {
  await openPanel();
  fixture.panel.dispose();
  fixture.panel.dispose();
  expect(fixture.panel.isDisposed).toBe(true);
  expect(fixture.harness.timers.pendingCount).toBe(0);
  expect(document.querySelector('.ma-Panel-content')).toBeNull();
  await fixture.harness.refreshWith(
    instancePayload(HOUR, { seq: 2, instance: { id: 'i-1', name: 'train-b' } }),
  );
  expect(fixture.findElement('h2').textContent).toBe('train-a');
});

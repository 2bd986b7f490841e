import { afterEach, describe, expect, it } from 'vitest';
import { fields } from '../../src/countdown/messages';
import { Pages } from '../../src/manager/widget-bridge';
import { Panel } from '../../src/panel/panel';
import { BackendError } from '../../src/tokens';
import { HOUR, MINUTE, NOW } from '../countdown/fakes';
import { Bench, done, settle, trans, wire } from '../fakes';

const instance = (description: string) => ({ id: 'i-1', name: 'train-a', description });

class Side {
  readonly bench = new Bench();
  readonly pages = new Pages(this.bench.manager, document, trans);
  readonly panel: Panel;

  constructor() {
    const { manager, timers } = this.bench;
    this.panel = new Panel({ manager, trans, timers, wakeups: [] });
    document.body.append(this.panel.node);
  }

  get text(): string {
    const seen = (node: Element): string =>
      node.closest('[hidden]') ? '' : node.children.length === 0 ? (node.textContent ?? '') : '';
    return [...this.panel.node.querySelectorAll('*')].map(seen).join(' ');
  }

  find(selector: string): HTMLElement {
    const found = this.panel.node.querySelector<HTMLElement>(selector);
    if (!found) {
      throw new Error(`no ${selector}`);
    }
    return found;
  }

  /** A field or a switch. */
  field(selector: string): HTMLInputElement {
    return this.find(selector) as HTMLInputElement;
  }

  button(words: string): HTMLButtonElement {
    const all = [...this.panel.node.querySelectorAll('button')];
    const found = all.find((each) => each.textContent === words && !each.closest('[hidden]'));
    if (!found) {
      throw new Error(`no button ${words}`);
    }
    return found;
  }

  async press(words: string): Promise<void> {
    this.button(words).click();
    await settle();
  }

  type(selector: string, value: string): void {
    const field = this.field(selector);
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }

  get last(): unknown {
    return this.bench.backend.asked.filter(({ method }) => method !== 'GET').at(-1);
  }
}

let side: Side;

async function open(answer: unknown = wire()): Promise<Side> {
  side = new Side();
  await side.bench.read(answer);
  return side;
}

/** A notebook's countdown, as far as the manager has to do with it. */
function countdown(id: unknown = 'i-1') {
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
  side.panel.dispose();
  side.pages.dispose();
  side.bench.manager.dispose();
});

describe('the panel shows', () => {
  it('whose countdown it is, and how much is left', async () => {
    await open(wire(72 * MINUTE, {}, { demo: true }));
    expect(side.find('h2').textContent).toBe('train-a');
    expect(side.find('.ma-Countdown-figure').textContent).toBe('1 h 12 min');
    for (const words of ['RUNNING', 'gpu.1', 'i-1', 'demanager', 'the Jupyter server']) {
      expect(side.text).toContain(words);
    }
  });

  it('that it looks, and then what does not work and what to do', async () => {
    side = new Side();
    expect(side.text).toContain('Looking for the instance…');
    expect(side.text).not.toMatch(/Auto-stop|Description|Check the set-up/);
    const problem = { code: 'x', message: 'No credentials.', hint: 'Set MODELARTS_AUTH_TOKEN.' };
    await side.bench.read(wire(0, { problem, state: null, instance: null, read_only: true }));
    expect(side.text).toContain('No credentials.');
    expect(side.text).toContain('Set MODELARTS_AUTH_TOKEN.');
    expect(side.text).not.toContain('Looking');
    const retry = side.button('Try again');
    await side.bench.read();
    expect(side.button('Try again')).toBe(retry); // and with it the focus
    await side.press('Try again');
    expect(side.bench.backend.lines.at(-1)).toBe('GET instance?refresh=1');
  });

  it('what it was told by others as of then, and changes nothing', async () => {
    await open(wire(HOUR, { read_only: true }, { can_change: false, reason: 'read-only' }));
    expect(side.text).toContain('As of 2026-11-23 16:52 +08:00, read-only.');
    expect(side.find('.ma-Panel-countdown').classList).toContain('ma-mod-readonly');
    const fields = [
      ...side.panel.node.querySelectorAll<HTMLInputElement>('.ma-Panel-section input'),
    ];
    expect(fields.map(({ disabled }) => disabled)).toEqual([true, true, true]);
    expect(() => side.button('Edit')).toThrow();
    side.panel.reveal('description');
    expect(side.find('.ma-Panel-form').hidden).toBe(true);
  });

  it('that the server is gone, beside what was last known', async () => {
    await open();
    side.bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await side.bench.read();
    expect(side.text).toContain('The Jupyter server does not answer.');
    expect(side.find('.ma-Panel-countdown').classList).toContain('ma-mod-readonly');
    expect(side.find('h2').textContent).toBe('train-a');
  });

  it.each([
    [new BackendError('absent'), 'pip install modelarts-magics'],
    [new BackendError('x', 'It broke.', { hint: 'Mend it.' }), 'It broke. Mend it.'],
    [new BackendError('x'), 'It did not work.'],
  ])('why nothing is known, and what to do: %o', async (failure, words) => {
    side = new Side();
    side.bench.backend.answer = () => {
      throw failure;
    };
    await side.bench.read();
    expect(side.text).toContain(words);
  });

  it('how the last run ended, until that was read', async () => {
    const lastRun = {
      ...{ ended_at_ms: NOW - HOUR, reason: 'auto-stop', duration_s: 3600, saved: ['a.ipynb'] },
      not_saved: [{ path: 'b.py', why: 'changed-on-disk' }],
    };
    await open(wire(HOUR, { last_run: lastRun }));
    expect(side.text).toContain('Last run ended 15:52 (auto-stop, 1 h).');
    expect(side.text).toContain('Saved: a.ipynb');
    expect(side.text).toContain('Not saved: b.py (changed on disk)');
    side.bench.backend.answer = () => wire();
    await side.press('Dismiss');
    expect(side.bench.backend.lines).toContain('DELETE saved');
    expect(side.text).not.toContain('Last run');
  });

  it('what was saved before the stop', async () => {
    await open();
    const notSaved = [{ path: 'c', why: 'timed-out' }];
    await side.bench.manager.report(NOW, { saved: [], notSaved }, 'tab');
    expect(side.text).toContain('Not saved: c (took too long)');
  });

  it('that reminders are off, and turns them on', async () => {
    await open(wire(HOUR, { reminders: { muted: true } }));
    expect(side.text).toContain('Reminders are off for this instance.');
    side.bench.backend.answer = () => done();
    await side.press('Turn on');
    expect(side.last).toMatchObject({ path: 'remind', body: { muted: false } });
    expect(side.text).not.toContain('Reminders are off');
  });

  it('that reminders could not be turned on, and why', async () => {
    await open(wire(HOUR, { reminders: { muted: true } }));
    side.bench.backend.answer = () => {
      throw new BackendError('cloud.500', 'The cloud failed.', { status: 502 });
    };
    await side.press('Turn on');
    expect(side.text).toContain('The cloud failed.');
    side.bench.backend.answer = () => done();
    await side.press('Turn on');
    await side.bench.read(wire(HOUR, { seq: 2, reminders: { muted: true } }));
    expect(side.text).toContain('Reminders are off');
    expect(side.find('.ma-Panel-notices').querySelector('.ma-Panel-wrong')).toBeNull();
  });

  it('that a change had no answer, and no more', async () => {
    await open();
    side.bench.backend.answer = () => {
      throw new BackendError('unreachable', 'Failed to fetch');
    };
    side.type('.ma-Panel-field input', '3h');
    await side.press('Save');
    expect(side.text).toContain('The Jupyter server does not answer. What holds will show');
    expect(side.text).not.toContain('fetch');
  });

  it('what the doctor found, problems first', async () => {
    await open();
    side.bench.backend.answer = () => ({
      findings: [
        { about: 'store', level: 'ok', words: 'there', hint: '' },
        { about: 'clock', level: 'problem', words: 'is wrong', hint: 'Set it.' },
      ],
    });
    const details = side.find('details') as HTMLDetailsElement;
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
    await settle();
    const lines = [...side.panel.node.querySelectorAll('li')].map((each) => each.textContent);
    expect(lines).toEqual(['✗ clock is wrongSet it.', '✓ store there']);
    const before = side.bench.backend.lines;
    details.open = false;
    details.dispatchEvent(new Event('toggle'));
    expect(side.bench.backend.lines).toEqual(before);
    side.bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    details.open = true;
    details.dispatchEvent(new Event('toggle'));
    await settle();
    expect(details.textContent).toContain('The Jupyter server does not answer.');
  });

  it('what the cloud says when it is asked again', async () => {
    await open();
    const ask = side.find('.ma-Panel-refresh') as HTMLButtonElement;
    ask.click();
    expect(ask.disabled).toBe(true);
    await settle();
    expect(side.bench.backend.lines).toEqual(['GET instance', 'GET instance?refresh=1']);
    expect(ask.disabled).toBe(false);
  });

  it('the right time after the clock of the page was set', async () => {
    await open();
    side.bench.timers.sleep(HOUR);
    await side.bench.pass(MINUTE);
    expect(side.bench.backend.lines).toEqual(['GET instance', 'GET instance']);
  });

  it('no details when they are not wanted', async () => {
    await open();
    side.bench.manager.preferences = { ...side.bench.manager.preferences, showDetails: false };
    expect(side.text).not.toContain('gpu.1');
  });
});

describe('the description', () => {
  it('is edited in place and saved with what it was made from', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'two');
    side.bench.backend.answer = () => done(wire(HOUR, { seq: 2, instance: instance('two') }));
    await side.press('Save');
    expect(side.last).toEqual({
      ...{ method: 'PATCH', path: 'instance' },
      body: { description: 'two', base: { description: 'one' } },
    });
    expect(side.find('.ma-Panel-description').textContent).toBe('two');
    expect(side.find('[role=status].ma-Panel-status').textContent).toBe('Saved.');
  });

  it('with a character that is not allowed names it, and offers another', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'a/b');
    expect(side.text).toContain('“/” at position 2 is not allowed.');
    expect(side.find('textarea').getAttribute('aria-describedby')).toBe('ma-description-wrong');
    expect(side.button('Save').disabled).toBe(true);
    const save = { key: 'Enter', ctrlKey: true };
    side.find('textarea').dispatchEvent(new KeyboardEvent('keydown', save));
    await settle();
    expect(side.last).toBeUndefined();
    side.panel.reveal('description');
    expect(side.field('textarea').value).toBe('a/b');
    await side.press('Use full-width characters');
    expect(side.field('textarea').value).toBe('a／b');
    expect(side.button('Save').disabled).toBe(false);
  });

  it('that is being typed is never overwritten; both are offered', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'mine');
    await side.bench.read(wire(HOUR, { seq: 2, instance: instance('theirs') }));
    expect(side.field('textarea').value).toBe('mine');
    expect(side.find('.ma-Panel-form .ma-Panel-foreign').textContent).toBe(
      'Changed meanwhile to: theirs',
    );
    expect(side.button('Save').disabled).toBe(true);
    const save = { key: 'Enter', ctrlKey: true };
    side.find('textarea').dispatchEvent(new KeyboardEvent('keydown', save));
    await settle();
    expect(side.last).toBeUndefined();
    await side.press('Keep mine');
    await side.press('Save');
    expect(side.last).toMatchObject({
      body: { description: 'mine', base: { description: 'theirs' } },
    });
  });

  it('of somebody else can be taken instead', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'mine');
    side.bench.backend.answer = () => {
      const now = wire(HOUR, { seq: 2, instance: instance('theirs') });
      throw new BackendError('refuse.changed', 'Changed.', { status: 409, details: { now } });
    };
    await side.press('Save');
    expect(side.find('.ma-Panel-form .ma-Panel-wrong').textContent).toBe(''); // both stand there
    await side.press('Take that one');
    expect(side.find('.ma-Panel-description').textContent).toBe('theirs');
  });

  it('cannot be typed on while it is being saved, which would be lost', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'two');
    let answer: (value: unknown) => void = () => undefined;
    side.bench.backend.answer = () => new Promise((resolve) => (answer = resolve));
    await side.press('Save');
    expect(side.field('textarea').readOnly).toBe(true);
    const again = { key: 'Enter', ctrlKey: true };
    side.find('textarea').dispatchEvent(new KeyboardEvent('keydown', again));
    await settle();
    expect(side.bench.backend.lines).toEqual(['GET instance', 'PATCH instance']);
    answer(done());
    await settle();
    await side.press('Edit');
    expect(side.field('textarea').readOnly).toBe(false);
  });

  it('that the cloud refuses stays as typed, with the reason', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', 'mine');
    side.bench.backend.answer = () => {
      throw new BackendError('x', 'The cloud says no.', { status: 502 });
    };
    await side.press('Save');
    expect(side.text).toContain('The cloud says no.');
    expect(side.field('textarea').value).toBe('mine');
    const wrong = side.find('.ma-Panel-form .ma-Panel-wrong');
    side.type('textarea', 'mine too');
    expect(wrong.textContent).toBe('');
    await side.press('Save');
    expect(wrong.textContent).toBe('The cloud says no.');
    await side.press('Cancel');
    await side.press('Edit');
    expect(wrong.textContent).toBe('');
  });

  it('is neither left nor saved by a key that ends the composing of a character', async () => {
    await open();
    await side.press('Edit');
    side.type('textarea', '二');
    for (const key of ['Escape', 'Enter']) {
      const init = { key, ctrlKey: true, isComposing: true };
      side.find('textarea').dispatchEvent(new KeyboardEvent('keydown', init));
    }
    await settle();
    expect(side.find('.ma-Panel-form').hidden).toBe(false);
    expect(side.last).toBeUndefined();
  });

  it('is left by Escape, saved by Ctrl+Enter', async () => {
    await open();
    await side.press('Edit');
    const key = (init: KeyboardEventInit) =>
      side.find('textarea').dispatchEvent(new KeyboardEvent('keydown', init));
    key({ key: 'Escape' });
    expect(side.find('.ma-Panel-form').hidden).toBe(true);
    side.panel.reveal('description');
    side.type('textarea', 'three');
    key({ key: 'Enter', ctrlKey: true });
    await settle();
    expect(side.last).toMatchObject({ body: { description: 'three' } });
  });
});

describe('auto-stop', () => {
  const duration = '.ma-Panel-field input';

  it('is set to a duration', async () => {
    await open();
    expect(side.field(duration).value).toBe('2h');
    side.type(duration, '2h30m');
    side.bench.backend.answer = () => ({ ok: true, effect: 'next-start' });
    await side.press('Save');
    expect(side.last).toMatchObject({
      body: {
        auto_stop: { duration_s: 9000, enabled: true },
        base: { auto_stop: { enabled: true, duration_s: 7200 } },
      },
    });
    expect(side.text).toContain('Saved for the next start. This run still stops as before.');
  });

  it.each([
    ['30m', 'It has to be 1 h to 24 h.'],
    ['25h', 'It has to be 1 h to 24 h.'],
    ['-2h', 'Write 90m or 2h30m.'],
    ['soon', 'Write 90m or 2h30m.'],
  ])('does not take %s', async (typed, words) => {
    await open();
    side.type(duration, typed);
    await side.press('Save');
    expect(side.text).toContain(words);
    expect(side.last).toBeUndefined();
  });

  it('that is being typed is never overwritten', async () => {
    await open();
    side.type(duration, '5h');
    await side.bench.read(wire(HOUR, { seq: 2 }, { duration_s: 10_800 }));
    expect(side.field(duration).value).toBe('5h');
    expect(side.text).toContain('Changed meanwhile to: 3h');
    await side.press('Take that one');
    expect(side.field(duration).value).toBe('3h');
  });

  it('that was changed meanwhile is set when the person has chosen, not before', async () => {
    await open();
    side.type(duration, '5h');
    await side.bench.read(wire(HOUR, { seq: 2 }, { duration_s: 10_800 }));
    side.find(duration).dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    await settle();
    expect(side.last).toBeUndefined();
    await side.press('Keep mine');
    await side.press('Save');
    expect(side.last).toMatchObject({ body: { auto_stop: { duration_s: 18_000 } } });
  });

  it('is set once, however often that is asked for, and then follows the truth', async () => {
    await open();
    side.type(duration, '5h');
    let answer: (value: unknown) => void = () => undefined;
    side.bench.backend.answer = () => new Promise((resolve) => (answer = resolve));
    for (let turn = 0; turn < 2; turn++) {
      side.find(duration).dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
      await settle();
    }
    expect(side.bench.backend.lines).toEqual(['GET instance', 'PATCH instance']);
    expect(side.button('Save').disabled).toBe(true);
    answer({ ok: true, effect: 'unconfirmed' });
    await settle();
    expect(side.find('[role=status].ma-Panel-status').textContent).toBe(
      'Sent, but not confirmed by the cloud.',
    );
    await side.bench.read(wire(HOUR, { seq: 2 }, { duration_s: 9000 }));
    expect(side.field(duration).value).toBe('2h30m');
    expect(() => side.button('Save')).toThrow();
  });

  it('of which the cloud says nothing is not shown as on', async () => {
    await open(wire(HOUR, {}, { enabled: null }));
    expect(side.field('[role=switch]').checked).toBe(false);
  });

  it('that decides by use says so', async () => {
    await open(wire(HOUR, {}, { mode: 'IDLE' }));
    expect(side.text).toContain('It now stops when idle.');
  });

  it('reminds or not, by its switch', async () => {
    await open();
    const [, remind] = side.panel.node.querySelectorAll<HTMLInputElement>('[role=switch]');
    expect(remind?.checked).toBe(true);
    remind?.click();
    await settle();
    expect(side.last).toMatchObject({ path: 'remind', body: { muted: true } });
  });

  it('that could not be switched is no fault of the duration', async () => {
    await open();
    side.bench.backend.answer = () => {
      throw new BackendError('cloud.500', 'The cloud failed.', { status: 502 });
    };
    side.find('[role=switch]').click();
    await settle();
    expect(side.find('.ma-Panel-said').dataset.tone).toBe('bad');
    expect(side.field('[role=switch]').checked).toBe(true);
    expect(side.find(duration).hasAttribute('aria-invalid')).toBe(false);
  });

  it('is set by Enter and left by Escape, unless that key ends the composing of a character', async () => {
    await open();
    const press = (key: string, isComposing: boolean) =>
      side.find(duration).dispatchEvent(new KeyboardEvent('keydown', { key, isComposing }));
    side.type(duration, '3小时');
    press('Escape', true);
    press('Enter', true);
    await settle();
    expect(side.field(duration).value).toBe('3小时');
    expect(side.last).toBeUndefined();
    press('Enter', false);
    await settle();
    expect(side.last).toMatchObject({ body: { auto_stop: { duration_s: 10_800 } } });
    side.type(duration, '4h');
    press('Escape', false);
    expect(side.field(duration).value).toBe('2h');
  });

  it('can be set to what was typed before anything else of it changed', async () => {
    await open();
    side.type(duration, '5h');
    const autoStop = { enabled: false, mode: null, duration_s: 7200, prompt: null };
    const off = { ...instance('one'), auto_stop: autoStop };
    await side.bench.read(wire(HOUR, { seq: 2, instance: off }, { enabled: false }));
    await side.press('Save');
    expect(side.last).toMatchObject({
      body: { auto_stop: { duration_s: 18_000, enabled: true }, base: { auto_stop: autoStop } },
    });
  });

  it('says nothing of it before there is an answer, nor after it was overtaken', async () => {
    await open();
    const toggle = side.field('[role=switch]');
    let answer: (value: unknown) => void = () => undefined;
    side.bench.backend.answer = () => new Promise((resolve) => (answer = resolve));
    toggle.checked = false;
    toggle.dispatchEvent(new Event('change'));
    await settle();
    expect(side.text).toContain('Saving…');
    expect([toggle.checked, toggle.disabled]).toEqual([false, true]);
    expect(side.field(duration).readOnly).toBe(true);
    side.bench.backend.answer = () => wire();
    answer(done(wire(HOUR, { seq: 2 })));
    await settle();
    await side.bench.pass(1_000);
    expect(side.field(duration).readOnly).toBe(false);
    expect(side.text).toContain('Saved. Now stops at 17:52.');
    const autoStop = { enabled: true, mode: 'TIMING', duration_s: 9000, prompt: null };
    const instance = { id: 'i-1', name: 'train-a', description: 'one', auto_stop: autoStop };
    await side.bench.read(wire(HOUR, { seq: 3, instance, as_of_ms: NOW + 2_000 }));
    await side.bench.pass(10_000);
    expect(side.text).not.toContain('Saved.');
  });

  it('is turned off, where the API can', async () => {
    await open();
    const toggle = side.field('[role=switch]');
    toggle.checked = false;
    toggle.dispatchEvent(new Event('change'));
    await settle();
    expect(side.last).toMatchObject({ body: { auto_stop: { enabled: false } } });
    const capabilities = { shortest_s: 3600, longest_s: 259_200, counts_from: 'now', off: false };
    await side.bench.read(wire(HOUR, { seq: 2, capabilities }));
    expect(toggle.disabled).toBe(true);
    expect(side.text).toContain('Stop in (from now)');
    expect(side.text).toContain('This API cannot turn it off.');
    await side.bench.read(wire(HOUR, { seq: 3, capabilities }, { enabled: false }));
    expect(toggle.disabled).toBe(false);
  });
});

describe('two changes in a row', () => {
  it('are made from what holds then, and need no reading in between', async () => {
    await open();
    const toggle = side.field('[role=switch]');
    for (const [seq, enabled] of [
      [2, false],
      [3, true],
    ] as const) {
      const autoStop = { enabled, duration_s: 7200 };
      const facts = { ...instance('one'), auto_stop: autoStop };
      const known = side.bench.manager.payload?.instance?.autoStop;
      side.bench.backend.answer = () => done(wire(HOUR, { seq, instance: facts }, { enabled }));
      toggle.checked = enabled;
      toggle.dispatchEvent(new Event('change'));
      await settle();
      expect(side.last).toMatchObject({ body: { base: { auto_stop: known } } });
      expect(side.bench.manager.payload?.instance?.autoStop).toEqual(autoStop);
    }
    expect(side.bench.backend.lines).toEqual([
      ...['GET instance', 'PATCH instance', 'PATCH instance'],
    ]);
  });
});

describe('a click on +1 h', () => {
  it('is answered by the manager, in the panel as in a notebook', async () => {
    await open();
    const later = { seq: 2, as_of_ms: NOW + 1, server_now_ms: NOW + 500 };
    side.bench.backend.answer = () => done(wire(132 * MINUTE, later));
    side.find('[data-do=plus]').click();
    await side.bench.pass(500);
    expect(side.last).toMatchObject({
      path: 'extend',
      body: { seconds: 3600, base_stops_at_ms: NOW + 72 * MINUTE },
    });
    expect(side.find('.ma-Countdown-note').textContent).toBe('Now stops at 19:04.');
  });

  it('that nobody answers says so', async () => {
    await open();
    side.pages.dispose();
    side.find('[data-do=plus]').click();
    await side.bench.pass(500);
    expect(side.find('.ma-Countdown').dataset.phase).toBe('frozen');
    const { pushed } = countdown();
    await side.bench.read();
    expect(pushed).toEqual([]);
  });

  it('and on −1 h goes the other way', async () => {
    await open();
    side.find('[data-do=minus]').click();
    await side.bench.pass(500);
    expect(side.last).toMatchObject({ path: 'extend', body: { seconds: -3600 } });
  });

  it.each([
    ['taken', wire(), true],
    ['taken where the server read the same end a little later', wire(72 * MINUTE + 700), true],
    ['left to the kernel where it is about another run', wire(HOUR), false],
    [
      'left to the kernel where this server only looks',
      wire(72 * MINUTE, { read_only: true }),
      false,
    ],
    [
      'left to the kernel where nothing can be changed',
      wire(72 * MINUTE, {}, { can_change: false }),
      false,
    ],
    ['left to the kernel where nobody knows whose it is', wire(72 * MINUTE, {}, { id: '' }), false],
  ])('in a notebook is %s', async (_, answer, taken) => {
    await open(answer);
    expect(countdown(fields(fields(answer).state).id).ask()).toBe(taken);
  });

  it('in a notebook is left to the kernel while the server does not answer', async () => {
    await open();
    side.bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    await side.bench.read();
    expect(countdown().ask()).toBe(false);
  });

  it('in a notebook that had no answer says so, with what is known', async () => {
    await open();
    side.bench.backend.answer = () => {
      throw new BackendError('unreachable');
    };
    const asked = countdown();
    expect(asked.ask()).toBe(true);
    await settle();
    expect(asked.answers).toMatchObject([
      {
        ...{ ok: false, code: 'unreachable', as_of_ms: NOW, server_now_ms: NOW },
        text: 'The Jupyter server does not answer. What holds will show once it does.',
      },
    ]);
  });

  it('is nothing that a notebook hears of where this server only looks', async () => {
    await open();
    const { pushed } = countdown();
    await side.bench.read(wire(HOUR, { seq: 2, read_only: true }));
    expect(pushed).toEqual([]);
    await side.bench.read(wire(HOUR, { seq: 3 }));
    expect(pushed).toMatchObject([{ as_of_ms: NOW, server_now_ms: NOW }]);
  });

  it('tells no time where the server told none', async () => {
    await open(wire(HOUR, { server_now_ms: null }));
    const { pushed } = countdown();
    await side.bench.read();
    expect(pushed).toHaveLength(1);
    expect(pushed[0]).not.toHaveProperty('server_now_ms');
  });

  it('is told to countdowns of this instance only', async () => {
    await open();
    const [one, other, nobodys] = ['i-1', 'i-2', ''].map(countdown);
    await side.bench.read(wire(HOUR, { seq: 2 }));
    expect([one, other, nobodys].map((each) => each?.pushed.length)).toEqual([1, 0, 0]);
    expect(other?.ask()).toBe(false);
  });
});

it('stops for good, twice if need be', async () => {
  await open();
  side.panel.dispose();
  side.panel.dispose();
  expect(side.panel.isDisposed).toBe(true);
  expect(side.bench.timers.pending).toBe(0);
  expect(document.querySelector('.ma-Panel-content')).toBeNull();
  await side.bench.read(wire(HOUR, { seq: 2, instance: { id: 'i-1', name: 'train-b' } }));
  expect(side.find('h2').textContent).toBe('train-a');
});

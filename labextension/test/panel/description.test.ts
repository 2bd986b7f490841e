import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { HOUR } from '../countdown/fakes';
import { changeResponse, flushPromises, instancePayload } from '../fakes';
import { openPanel as createPanel, instanceWith, PanelFixture } from './panel-fixture';

let fixture: PanelFixture;

async function openPanel(payload?: unknown): Promise<void> {
  fixture = await createPanel(payload);
}

afterEach(() => {
  fixture.dispose();
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

  it('shows direction marks as escapes, also while it is edited', async () => {
    await openPanel(instancePayload(HOUR, { instance: instanceWith('a\u202eb') }));
    expect(fixture.findElement('.ma-Panel-description').textContent).toBe('a\\u202eb');
    await fixture.click('Edit');
    expect(fixture.findInput('textarea').value).toBe('a\u202eb');
    expect(fixture.visibleText).toContain('a\\u202eb');
    fixture.enterText('textarea', 'a');
    expect(fixture.findElement('.ma-Panel-description').hidden).toBe(true);
  });

  it('names a control character by an escape', async () => {
    await openPanel();
    await fixture.click('Edit');
    fixture.enterText('textarea', 'ab\u001b');
    expect(fixture.visibleText).toContain('“\\x1b” (position 3) is not allowed.');
    expect(fixture.findButton('Save').disabled).toBe(true);
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
      throw new BackendError('refuse.stop_time_changed', 'Changed.', {
        status: 409,
        details: { current },
      });
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
      throw new BackendError('x', 'Bad request.', { status: 502 });
    };
    await fixture.click('Save');
    expect(fixture.visibleText).toContain('Bad request.');
    expect(fixture.findInput('textarea').value).toBe('mine');
    const wrong = fixture.findElement('.ma-Panel-form .ma-Panel-error');
    fixture.enterText('textarea', 'mine too');
    expect(wrong.textContent).toBe('');
    await fixture.click('Save');
    expect(wrong.textContent).toBe('Bad request.');
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

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { flushPromises } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const LIST = {
  sinks: [{ id: '1', label: 'https://example.com/…', last: 'nothing sent yet', failed: false }],
  events: [{ name: 'time-left', label: '30 minutes are left', on: true }],
  note: 'Nothing can be sent now.',
};
let fixture: PanelFixture;
let section: HTMLElement;

beforeEach(async () => {
  fixture = await openPanel();
  section = fixture.findElement('.ma-Panel-notifications');
});

afterEach(() => {
  fixture.dispose();
});

async function open(response: object = LIST): Promise<void> {
  fixture.harness.backend.respond = () => response;
  (section as HTMLDetailsElement).open = true;
  section.dispatchEvent(new Event('toggle'));
  await flushPromises();
}

describe('the section of notifications', () => {
  it('asks for the sinks when it is opened, and not before', async () => {
    const paths = () => fixture.harness.backend.requests.map(({ path }) => path);
    expect(paths()).not.toContain('notify');
    await open();
    expect(paths()).toContain('notify');
    expect(section.textContent).toContain('https://example.com/…');
    expect(section.textContent).toContain('nothing sent yet');
    expect(section.textContent).toContain('Nothing can be sent now.');
  });

  it('adds an address that is typed unseen, and empties the field', async () => {
    await open({ sinks: [], events: [], note: '' });
    const field = fixture.findInput('.ma-Panel-notifications form input');
    expect(field.type).toBe('password');
    field.value = 'https://example.com/secret';
    fixture.harness.backend.respond = () => ({
      ...LIST,
      text: 'Notifications go there.',
      done: true,
    });
    fixture.findButton('Add').click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({
      path: 'notify',
      body: { action: 'add', address: 'https://example.com/secret' },
    });
    expect(field.value).toBe('');
    expect(section.textContent).toContain('Notifications go there.');
  });

  it('keeps an address that was refused, and shows why', async () => {
    await open();
    const field = fixture.findInput('.ma-Panel-notifications form input');
    field.value = 'nonsense';
    fixture.harness.backend.respond = () => {
      throw new BackendError('notify.address', 'This is not an address.');
    };
    fixture.findButton('Add').click();
    await flushPromises();
    expect(field.value).toBe('nonsense');
    expect(section.textContent).toContain('This is not an address.');
  });

  it('tests and removes a sink, and turns an event off', async () => {
    await open();
    await fixture.click('Test');
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'test', id: '1' } });
    const event = fixture.findInput('.ma-Panel-notifications .ma-Panel-findings input');
    event.click();
    await flushPromises();
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'off', event: 'time-left' } });
    await fixture.click('Remove');
    expect(fixture.lastWrite).toMatchObject({ body: { action: 'remove', id: '1' } });
  });
});

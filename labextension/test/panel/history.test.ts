import { afterEach, describe, expect, it } from 'vitest';
import { BackendError } from '../../src/tokens';
import { flushPromises } from '../fakes';
import { openPanel, type PanelFixture } from './panel-fixture';

const LINES = ['14:40 · extend by the panel: stop time 15:00 → 16:00', '14:10 · describe: a → b'];
let fixture: PanelFixture;

afterEach(() => {
  fixture.dispose();
});

async function openHistory(respond: () => unknown): Promise<HTMLElement> {
  fixture = await openPanel();
  fixture.harness.backend.respond = respond;
  const all = [...fixture.panel.node.querySelectorAll('details')];
  const section = all.find((each) => each.querySelector('summary')?.textContent === 'History');
  if (!section) {
    throw new Error('no history');
  }
  expect(fixture.harness.backend.requestLines).not.toContain('GET history');
  section.open = true;
  section.dispatchEvent(new Event('toggle'));
  await flushPromises();
  return section;
}

describe('the history', () => {
  it('is requested when it is opened, and keeps the order of the server', async () => {
    const section = await openHistory(() => ({ entries: LINES }));
    expect([...section.querySelectorAll('li')].map(({ textContent }) => textContent)).toEqual(
      LINES,
    );
    expect(fixture.harness.backend.requestLines).toContain('GET history');
  });

  it('says that it is empty', async () => {
    const section = await openHistory(() => ({ entries: [] }));
    expect(section.textContent).toContain('No change is recorded yet.');
  });

  it('shows the error in its place', async () => {
    const section = await openHistory(() => {
      throw new BackendError('api.500', 'Server error.', { status: 502 });
    });
    expect(section.textContent).toContain('Server error.');
  });
});

/** A panel with a fake backend, for the tests of its sections. */

import { CommandRegistry } from '@lumino/commands';
import { WidgetBridge } from '../../src/manager/widget-bridge';
import { Panel } from '../../src/panel/panel';
import { FakeShell, flushPromises, instancePayload, ManagerHarness, trans } from '../fakes';

/** Return the properties of an instance with a description. */
export const instanceWith = (description: string) => ({ id: 'i-1', name: 'train-a', description });

/** A panel in the page, and functions that use it like a user. */
export class PanelFixture {
  readonly harness = new ManagerHarness();
  readonly bridge = new WidgetBridge(this.harness.manager, document, trans);
  readonly shell = new FakeShell();
  readonly commands = new CommandRegistry();
  readonly panel: Panel;

  constructor() {
    const { manager, timers } = this.harness;
    const { commands, shell } = this;
    this.panel = new Panel({ manager, trans, timers, commands, shell });
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

  /** Remove the panel and dispose of everything. */
  dispose(): void {
    this.panel.dispose();
    this.bridge.dispose();
    this.harness.manager.dispose();
  }
}

/** Show a panel after the first response of its backend. */
export async function openPanel(payload: unknown = instancePayload()): Promise<PanelFixture> {
  const fixture = new PanelFixture();
  await fixture.harness.refreshWith(payload);
  return fixture;
}

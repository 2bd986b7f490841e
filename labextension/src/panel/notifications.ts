/** The section with the sinks and events of notifications, and the switch for those of the browser. */

import { type DesktopNotifications, DesktopPermission } from '../browser/desktop-notifications';
import { asArray, asObject, asString } from '../countdown/messages';
import { createElement, setText } from '../countdown/elements';
import { failureText } from '../text/status-text';
import { BackendError, type BackendRequest } from '../tokens';
import {
  panelButton,
  panelElement,
  type PanelSection,
  type PanelSectionOptions,
  panelSwitch,
} from './section';

/** A sink as the server describes it; the address is not part of it. */
interface Sink {
  readonly id: string;
  readonly label: string;
  readonly last: string;
  readonly failed: boolean;
}

/** Options of {@link NotificationsSection}. */
export interface NotificationsSectionOptions extends PanelSectionOptions {
  /** The notifications of this browser. */
  readonly desktop: DesktopNotifications;
}

/** A collapsed section that reads the sinks each time it is opened. */
export class NotificationsSection implements PanelSection {
  /** {@inheritDoc PanelSection.node} */
  readonly node = createElement('details', { class: 'ma-Panel-section ma-Panel-notifications' });
  readonly #options: NotificationsSectionOptions;
  readonly #sinks = panelElement('div', 'findings');
  readonly #events = panelElement('div', 'findings');
  readonly #note = panelElement('p', 'hint');
  readonly #result = panelElement('p', 'message', [], { hidden: '' });
  readonly #address: HTMLInputElement;
  readonly #browser: HTMLInputElement;
  readonly #browserHint = panelElement('p', 'hint', [], { hidden: '' });
  #isBusy = false;

  constructor(options: NotificationsSectionOptions) {
    this.#options = options;
    const { trans, desktop } = options;
    this.#address = panelElement('input', 'input', [], {
      type: 'password',
      autocomplete: 'off',
      'aria-label': trans.__('Address'),
    });
    this.#browser = panelSwitch();
    this.#browser.checked = desktop.isOn;
    this.#browser.addEventListener('change', () => void this.#onBrowser());
    this.node.append(
      panelElement('summary', 'heading', [trans.__('Notifications')]),
      this.#sinks,
      this.#createForm(),
      this.#result,
      this.#events,
      this.#note,
      panelElement('label', 'switch', [
        this.#browser,
        trans.__('Show reminders as notifications of this browser'),
      ]),
      this.#browserHint,
    );
    this.node.addEventListener('toggle', () => {
      if (this.node.open) {
        void this.#call({ method: 'GET', path: 'notify' });
      }
    });
  }

  /** {@inheritDoc PanelSection.update} */
  update(): void {
    this.node.hidden = this.#options.manager.backend === null;
    this.#updateDisabled();
  }

  #createForm(): HTMLElement {
    const { trans } = this.#options;
    const add = createElement('button', { type: 'submit', class: 'ma-Panel-button' }, [
      trans.__('Add'),
    ]);
    const hint = panelElement('p', 'hint', [
      trans.__('A webhook, or an address of Apprise. It is a secret, and is shown masked.'),
    ]);
    const form = createElement('form', { class: 'ma-Panel-row' }, [this.#address, add, hint]);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#add();
    });
    return form;
  }

  async #add(): Promise<void> {
    const address = this.#address.value;
    if (address && (await this.#change({ action: 'add', address }))) {
      this.#address.value = '';
    }
  }

  #change(body: object): Promise<boolean> {
    return this.#call({ method: 'POST', path: 'notify', body });
  }

  /** Send a request and show its response; returns whether it succeeded. */
  async #call(request: BackendRequest): Promise<boolean> {
    const { manager, trans } = this.#options;
    this.#setBusy(true);
    try {
      const response = asObject(await manager.callBackend(request));
      this.#show(response);
      this.#showResult(asString(response.text), response.done !== false);
      return true;
    } catch (error) {
      const failure = error instanceof BackendError ? error : new BackendError('failed');
      this.#showResult(failureText(trans, failure), false);
      return false;
    } finally {
      this.#setBusy(false);
    }
  }

  #show({ sinks, events, note }: Readonly<Record<string, unknown>>): void {
    this.#sinks.replaceChildren(...asArray(sinks).map((each) => this.#sinkRow(readSink(each))));
    this.#events.replaceChildren(...asArray(events).map((each) => this.#eventRow(asObject(each))));
    this.#events.hidden = this.#sinks.childElementCount === 0;
    setText(this.#note, asString(note));
  }

  #sinkRow({ id, label, last, failed }: Sink): HTMLElement {
    const { trans } = this.#options;
    const outcome = panelElement('p', 'hint', [last], failed ? { 'data-tone': 'error' } : {});
    const group = { role: 'group', 'aria-label': label };
    const buttons = [
      panelButton(trans.__('Test'), () => void this.#change({ action: 'test', id })),
      panelButton(trans.__('Remove'), () => void this.#change({ action: 'remove', id })),
    ];
    return panelElement(
      'div',
      'row',
      [createElement('strong', {}, [label]), ...buttons, outcome],
      group,
    );
  }

  #eventRow({ name, label, on }: Readonly<Record<string, unknown>>): HTMLElement {
    const control = panelSwitch();
    control.checked = on === true;
    control.addEventListener('change', () => {
      const action = control.checked ? 'on' : 'off';
      void this.#change({ action, event: asString(name) });
    });
    return panelElement('label', 'switch', [control, asString(label)]);
  }

  #showResult(text: string, succeeded: boolean): void {
    this.#result.dataset.tone = succeeded ? 'info' : 'error';
    setText(this.#result, text);
    if (text) {
      this.#options.announce(text);
    }
  }

  #setBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    this.#updateDisabled();
  }

  #updateDisabled(): void {
    const isDisabled = this.#isBusy || this.#options.manager.presumedStop !== null;
    for (const control of this.node.querySelectorAll<HTMLInputElement | HTMLButtonElement>(
      'form > *, .ma-Panel-findings button, .ma-Panel-findings input',
    )) {
      control.disabled = isDisabled;
    }
  }

  /** Turn the notifications of the browser on, which asks for the permission, or off. */
  async #onBrowser(): Promise<void> {
    const { desktop, trans } = this.#options;
    if (!this.#browser.checked) {
      desktop.turnOff();
      setText(this.#browserHint, '');
      return;
    }
    const permission = await desktop.turnOn();
    this.#browser.checked = desktop.isOn;
    setText(
      this.#browserHint,
      permission === DesktopPermission.Granted
        ? ''
        : permission === DesktopPermission.Missing
          ? trans.__('This page cannot show notifications: it needs https.')
          : trans.__('The browser blocks notifications of this page. Allow them in its settings.'),
    );
  }
}

function readSink(data: unknown): Sink {
  const { id, label, last, failed } = asObject(data);
  return {
    id: asString(id),
    label: asString(label),
    last: asString(last),
    failed: failed === true,
  };
}

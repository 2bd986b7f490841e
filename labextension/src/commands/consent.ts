/** Questions before a change that cannot be undone. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** A question. */
export interface Question {
  /** Its title. */
  readonly title: string;
  /** The sentence that says what happens. */
  readonly body: string;
  /** The label of the button that agrees. */
  readonly accept: string;
}

/** Ask a question; the button that has the focus, and that Enter presses, is the one that declines. */
export async function ask(
  trans: TranslationBundle,
  { title, body, accept }: Question,
): Promise<boolean> {
  const { button } = await showDialog({
    ...{ title, body, defaultButton: 0 },
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: accept }),
    ],
  });
  return button.accept;
}

/** Ask whether to lengthen later runs although this run is not extended. */
export function askForConsent(trans: TranslationBundle, text: string): Promise<boolean> {
  const title = trans.__('Lengthen later runs?');
  return ask(trans, { title, body: text, accept: trans.__('Lengthen Later Runs') });
}

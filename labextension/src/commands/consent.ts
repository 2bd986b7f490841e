/** The question before an extension that lengthens later runs only. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Ask whether to lengthen later runs although this run is not extended. */
export async function askForConsent(trans: TranslationBundle, text: string): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Lengthen later runs?'),
    body: text,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Lengthen Later Runs') }),
    ],
  });
  return button.accept;
}

/** The notification that offers recorded output. It is loaded with the code of the records. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Offer } from '../records/records';
import { notify } from './notifications';

/** Offer to insert recorded output into a cell, until it is inserted or dismissed. */
export function showRecordOffer(trans: TranslationBundle, { record, insert }: Offer): void {
  const text = trans.__(
    'Not all output of “%1” is shown. It was recorded while it ran (lines: %2).',
    ...[record.name, record.lines],
  );
  const failed = trans.__('The recorded output cannot be read.');
  Notification.info(text, {
    autoClose: false,
    actions: [
      {
        label: trans.__('Insert the Recorded Output'),
        callback: () =>
          void insert().catch(() => {
            notify(failed, false);
          }),
      },
    ],
  });
}

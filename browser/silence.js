// Silence in SDP (DTX: RFC 7587 section 6.1): to one that says usedtx=1, a browser sends next to nothing while nobody speaks.

import { eachOpus } from './stereo.js';

const PREFERENCE = 'usedtx=';

/** A description that asks for that in each section, but for those in which stereo comes, which is music. */
export function tellSilence(sdp, stereo) {
  return eachOpus(sdp, (mid, parameters) => (
    stereo.has(mid) || parameters.some((p) => p.toLowerCase().startsWith(PREFERENCE)) ? parameters : [...parameters, `${PREFERENCE}1`]
  ));
}

// How large a file is, in words. Pure.

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** A number of bytes in the units of a language, with three digits at most where there are more than 1000. */
export function sizeText(bytes, language) {
  let unit = 0;
  let n = bytes;
  while (n >= 999.5 && unit < UNITS.length - 1) {
    n /= 1000;
    unit++;
  }
  return new Intl.NumberFormat(language, { style: 'unit', unit: UNITS[unit], unitDisplay: unit > 0 ? 'short' : 'long', maximumSignificantDigits: unit > 0 ? 3 : 21 }).format(n);
}

/** What an address is found by. Local parts may differ by case in theory; two accounts that differ so would only confuse. */
export const emailKey = (email: string): string => email.normalize("NFC").toLowerCase();

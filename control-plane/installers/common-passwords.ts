/** The most used passwords that are long enough for the length rule, case-folded. Shorter ones are refused for their length. */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  `1234567890 0123456789 0987654321 9876543210 1234554321 12345678910 123456789a a123456789 123456789q 1q2w3e4r5t
  1q2w3e4r5t6y 1qaz2wsx3edc qwertyuiop qwerty1234 qwerty12345 qwerty123456 qwertyuiop123 asdfghjkl1 asdfghjkl; zxcvbnm123
  password12 password123 password1234 password12345 password01 password00 passw0rd123 p@ssw0rd123 p@ssword123 passwordpassword
  mypassword yourpassword newpassword thepassword testpassword changeme123 changemenow letmein123 letmein1234 welcome123 welcome1234
  welcome2024 welcome2025 welcome2026 admin12345 admin123456 administrator superadmin iloveyou12 iloveyou123 iloveyou1234 iloveyou2
  sunshine123 princess123 football123 baseball123 superman123 spiderman1 dragon1234 monkey1234 michael123 jennifer12 charlie123
  starwars123 pokemon1234 chocolate1 strawberry basketball liverpool1 manchester manchester1 chelsea123 arsenal123 barcelona1
  realmadrid abcdefghij abcdefg123 abcd123456 abc1234567 abc123456789 1234abcdef q1w2e3r4t5 q1w2e3r4t5y6 zaq12wsxcde 1qazxsw23edc
  11223344556 1122334455 1029384756 5555555555 trustno1trustno1 computer123 internet123 samsung123 google1234 facebook123 linkedin123
  electrician installer123 charging123 chargepoint charger123 summer2024 summer2025 summer2026 winter2024 winter2025 winter2026
  spring2025 spring2026 autumn2025 autumn2026 january2026 secret1234 secret12345 default123 default1234 temporary1 temporary123`
    .split(/\s+/)
    .filter((password) => password.length >= 10),
);

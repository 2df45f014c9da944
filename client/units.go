package client

// UnitSize is how many UTF-16 code units one billed unit holds (docs page,
// "sms/send").
const UnitSize = 160

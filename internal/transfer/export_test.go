package transfer

// Replacing gives the steps by which a file takes the place of a database.
var Replacing = replacing
